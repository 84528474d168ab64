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
    found: 'no measurement could be had: {problem}',
    cause: 'the bus failed while measuring',
    remedy: ['$ techtemp-device read --count 5', 'check plugs and wires'],
  },
} as const;
