/** The I2C bus and the way to it. */
export const BUS_FINDINGS = {
  'bus.ok': { verdict: 'ok', found: '{bus} ({adapter}), {address} answers' },
  'bus.simulated': {
    verdict: 'warn',
    found: 'not examined: the config asks for the simulated sensor, so every value is invented',
    cause: '[sensor] type = simulated, which is for trying things out',
    remedy: ['in {file}: type = auto'],
  },
  'bus.package-missing': {
    verdict: 'fail',
    found: 'the package i2c-bus cannot be loaded',
    cause: 'it was not built at installation (no compiler then), or was built for another version of Node.js',
    remedy: ['$ sudo apt install g++ make python3', '$ cd {folder} && sudo npm rebuild i2c-bus'],
  },
  'bus.off': {
    verdict: 'fail',
    found: 'there is no /dev/i2c-* on this machine',
    cause: 'I2C is switched off, as on every new Raspberry Pi OS',
    remedy: [
      '$ sudo raspi-config nonint do_i2c 0',
      '$ ls /dev/i2c-*',
      'nothing listed? then restart the Pi:',
      '$ sudo reboot',
    ],
  },
  'bus.wrong-number': {
    verdict: 'fail',
    found: '{bus} does not exist, but {others} does; {where}',
    cause:
      '[sensor] i2c_bus = {number} names a bus that this machine does not have (pins 3 and 5 are bus 1 on every Pi but the first)',
    remedy: ['in {file}: i2c_bus = {suggestion}', '$ i2cdetect -l'],
  },
  'bus.permission': {
    verdict: 'fail',
    found: '{bus} may not be opened by this user',
    cause: 'the device file belongs to the group i2c, and this user is not a member of it',
    remedy: ['$ sudo usermod -aG i2c $USER', 'log out and in again; or for this once:', '$ sudo techtemp-device check'],
  },
  'bus.kernel-driver': {
    verdict: 'fail',
    found: 'address {address} on {bus} is in use by the kernel driver {driver}',
    cause: 'an overlay in config.txt (dtoverlay=i2c-sensor) or a modprobe bound the sensor to the kernel',
    remedy: [
      '$ echo {device} | sudo tee /sys/bus/i2c/drivers/{driver}/unbind',
      'for good: remove the line dtoverlay=i2c-sensor,... and restart',
      '$ sudo nano /boot/firmware/config.txt',
    ],
  },
  'bus.nothing-answers': {
    verdict: 'fail',
    found: 'nothing answers on {bus}, neither at {address} nor at any other address',
    cause: 'the sensor has no power, or SDA and SCL are swapped, loose or on the wrong pins',
    remedy: [
      'switch the Pi off and check: VIN - pin 1 (3.3 V), GND - pin 6, SDA - pin 3, SCL - pin 5',
      '$ techtemp-device check',
    ],
  },
  'bus.nothing-at-address': {
    verdict: 'fail',
    found: 'nothing answers at {address} on {bus}; what answers there: {others}',
    cause: 'the bus works, but the sensor is not on it: no power, a loose wire, or another kind of sensor',
    remedy: ["check the sensor's own four wires", '$ i2cdetect -y {number}'],
  },
  'bus.other-bus': {
    verdict: 'fail',
    found: 'nothing answers at {address} on {bus}, but something does on {answering}',
    cause: 'the sensor is wired to another bus than the config says',
    remedy: ['in {file}: i2c_bus = {suggestion}'],
  },
  'bus.time-out': {
    verdict: 'fail',
    found: 'the controller of {bus} ran into a time-out: {problem}',
    cause:
      'SDA or SCL is held low: a short, a sensor that hangs in the middle of a byte, or an AHT10 that shares the bus',
    remedy: [
      "take the sensor's power away for ten seconds, then check the wires for a short",
      'still so? use a slower bus, in /boot/firmware/config.txt: dtparam=i2c_arm_baudrate=10000',
      '$ sudo reboot',
    ],
  },
  'bus.hung': {
    verdict: 'fail',
    found: 'a transfer on {bus} does not return',
    cause: 'the controller or its driver hangs; only a restart of the Pi frees it',
    remedy: ["take the sensor's power away for ten seconds", '$ sudo reboot'],
  },
  'bus.failed': {
    verdict: 'fail',
    found: 'transfers on {bus} fail: {problem}',
    cause: 'the kernel refuses or the wires are bad',
    remedy: ['$ dmesg | grep -i i2c | tail', 'check the wires; keep them below 50 cm'],
  },
  'bus.shared': {
    verdict: 'warn',
    found: '{bus} is also held open by {programs}',
    cause: "two programs that talk to one sensor take each other's measurements away",
    remedy: ['end it for good, if it reads this sensor too:', '$ ps -fp {pids}'],
  },
} as const;

/** The chip behind the address. */
export const SENSOR_FINDINGS = {
  'sensor.ok': {
    verdict: 'ok',
    found: '{sensor}: {temperature} °C, {humidity} %RH ({count} measurements, {milliseconds} ms each)',
  },
  'sensor.not-an-aht': {
    verdict: 'fail',
    found: 'something answers at {address} on {bus}, but none of its {count} answers was a valid frame of an AHT20',
    cause:
      'another chip lives at this address (a VEML6070, a PCF8574A, an FT6236 touch panel), or the wires are very bad',
    remedy: ['take everything else off the bus and try again', '$ i2cdetect -y {number}'],
  },
  'sensor.noise': {
    verdict: 'warn',
    found: '{bad} damaged frames in {count} measurements; the checksum caught them',
    cause: 'wires too long, next to a motor or a mains cable, or missing pull-up resistors',
    remedy: [
      'shorten the wires (below 50 cm) and keep them away from mains',
      'a slower bus helps, in /boot/firmware/config.txt: dtparam=i2c_arm_baudrate=10000',
      '$ sudo reboot',
    ],
  },
  'sensor.unreliable': {
    verdict: 'warn',
    found: 'in {count} measurements {retries} tries had to be repeated, and {failed} failed{problem}',
    cause: 'a loose contact, or a supply at its limit',
    remedy: ['check plugs and solder joints; use the 3.3 V pin 1 or 17'],
  },
  'sensor.busy': {
    verdict: 'fail',
    found: 'the sensor says that it is busy and never stops, also after a reset',
    cause: 'the chip hangs; only taking its power away helps',
    remedy: [
      "unplug the sensor's VIN for ten seconds (a restart of the Pi leaves it under power)",
      '$ techtemp-device check',
    ],
  },
  'sensor.not-calibrated': {
    verdict: 'fail',
    found: 'the sensor says that it is not calibrated, also after both ways of initialising it',
    cause: 'the chip has lost its calibration: a brown-out while it started, or it is defective',
    remedy: ["unplug the sensor's VIN for ten seconds", 'still so? replace the sensor'],
  },
  'sensor.implausible': {
    verdict: 'fail',
    found: 'the sensor gives values that cannot be: {problem}',
    cause: 'the chip is defective or wet, or another chip answers at its address',
    remedy: ['let it dry for a day in a warm room', 'still so? replace the sensor'],
  },
  'sensor.frozen': {
    verdict: 'warn',
    found: '{count} measurements gave exactly the same 40 bits ({frame}); a live sensor differs in the last ones',
    cause: 'the chip repeats an old value',
    remedy: ["unplug the sensor's VIN for ten seconds", '$ techtemp-device read --count 5'],
  },
  'sensor.no-time': {
    verdict: 'warn',
    found: 'the sensor could not be examined, or only in part: {problem}',
    cause: 'other programs, or a slow SD card, keep this machine busy; nothing says that the sensor is at fault',
    remedy: ['$ top -b -n 1 | head -n 15', 'then once more: $ sudo techtemp-device check'],
  },
  'sensor.failed': {
    verdict: 'fail',
    found: 'no measurement succeeded: {problem}',
    cause: 'the bus failed while measuring',
    remedy: ['$ techtemp-device read --count 5', 'check plugs and wires'],
  },
} as const;
