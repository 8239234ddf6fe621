import fc from 'fast-check';
import { differenceOf, mergePatch } from '../../../core/contracts/patch';

describe('a merge patch', () => {
  // Appendix A of RFC 7396.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('of %j by %j is %j', (value, patch, expected) => {
    expect(mergePatch(value, patch)).toEqual(expected);
  });

  it('changes no prototype', () => {
    const patch: unknown = JSON.parse('{"__proto__": {"windows": 1}}');
    expect(mergePatch({}, patch)).not.toHaveProperty('windows', 1);
    expect(Object.getPrototypeOf({})).not.toHaveProperty('windows');
  });
});

describe('the difference of two settings', () => {
  const json = fc.dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.oneof(fc.integer(), fc.boolean(), fc.dictionary(fc.constantFrom('x', 'y'), fc.integer())),
  );

  it('leads, as a patch, from the one to the other and back', () => {
    fc.assert(
      fc.property(json, json, (one, other) => {
        const { before, after } = differenceOf(one, other);
        expect(mergePatch(one, after)).toEqual(other);
        expect(mergePatch(other, before)).toEqual(one);
      }),
    );
  });

  it('is empty of equal ones', () => {
    expect(differenceOf({ a: { b: [1] } }, { a: { b: [1] } })).toEqual({ before: {}, after: {} });
  });
});
