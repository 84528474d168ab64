import i2c from 'i2c-bus';

/** Measures argv[3] times on bus argv[2] as fast as it can and prints each frame: the plainest client there is. */
const bus = i2c.openSync(Number(process.argv[2]));
const trigger = Buffer.from('ac3300', 'hex');
const frame = Buffer.alloc(7);
for (let left = Number(process.argv[3]); left > 0; left -= 1) {
  bus.i2cWriteSync(0x38, trigger.length, trigger);
  do bus.i2cReadSync(0x38, frame.length, frame);
  while ((frame[0]! & 0x80) !== 0);
  process.stdout.write(`${frame.toString('hex')}\n`);
}
bus.closeSync();
