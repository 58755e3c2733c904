// Frames come whole, in order and with their bytes, however the stream was cut.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader } from '#src/broker/drivers/remote/frame-reader.js';

const framed = (content: Uint8Array): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(content.length);
  return Buffer.concat([head, content]);
};

const read = (chunks: readonly Buffer[]): string[] => {
  const reader = new FrameReader();
  const frames: string[] = [];
  for (const chunk of chunks) reader.push(chunk, (frame) => frames.push(frame.toString('hex')));
  return frames;
};

test('whatever the pieces, the frames are those that were sent', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 17 })),
      (contents, lengths) => {
        const stream = Buffer.concat(contents.map(framed));
        const chunks: Buffer[] = [];
        for (let at = 0; at < stream.length; ) {
          const length = lengths.next().value as number;
          chunks.push(stream.subarray(at, at + length));
          at += length;
        }
        expect(read(chunks)).toEqual(contents.map((content) => Buffer.from(content).toString('hex')));
      },
    ),
    { numRuns: 500 },
  );
});

test('a frame that has not come whole is not handed on', () => {
  const frame = framed(Buffer.from('abc'));
  for (let length = 0; length < frame.length; length += 1) expect(read([frame.subarray(0, length)])).toEqual([]);
});

test('a length that no frame has is refused', () => {
  expect(() => read([Buffer.from([0, 0, 0, 0x80])])).toThrow('a frame of 2147483648 bytes');
});
