import fc from 'fast-check';
import { decodeFrame, encodeFrame } from '../../../core/platform/frames';

describe('a weights frame', () => {
  it('gives back the header and every number it was made of', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.string()),
        fc.float32Array({ noNaN: true }),
        (header, numbers) => {
          const decoded = decodeFrame(encodeFrame(header, numbers));
          expect(decoded.header).toEqual(JSON.parse(JSON.stringify(header)));
          expect([...decoded.numbers]).toEqual([...numbers]);
        },
      ),
    );
  });

  it('survives standing anywhere in a larger buffer, whatever its alignment', () => {
    const frame = encodeFrame({ name: 'x' }, Float32Array.of(1, 2, 3));
    const larger = Buffer.concat([Buffer.from([9]), frame]);
    expect([...decodeFrame(larger.subarray(1)).numbers]).toEqual([1, 2, 3]);
  });

  it.each([
    ['nothing at all', Buffer.alloc(0)],
    ['a header longer than the frame', Buffer.from([255, 0, 0, 0, 1])],
    ['half a number', Buffer.concat([encodeFrame({}, Float32Array.of(1)), Buffer.from([1])])],
  ])('refuses %s as cut short', (_, bytes) => {
    expect(() => decodeFrame(bytes)).toThrow(expect.objectContaining({ code: 'InvalidModel' }) as Error);
  });

  it('refuses a header that is not JSON', () => {
    const frame = encodeFrame({ a: 1 }, new Float32Array());
    frame[4] = 0x21;
    expect(() => decodeFrame(frame)).toThrow(/not JSON/);
  });
});
