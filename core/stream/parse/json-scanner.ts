import { endOfExponent } from './skip-json';

const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;

/**
 * Whole numbers of up to 15 digits and powers of ten up to 10^22 are exact doubles, so their quotient is the correctly
 * rounded value of the decimal (Clinger 1990). Longer numbers go to the engine's own conversion.
 */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Float64Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

/**
 * Scans plain pieces of JSON straight from bytes. `cursor` is then the position behind the piece, or −1 where it is spelt in an unusual
 * way and was not read.
 */
export class JsonScanner {
  protected cursor = 0;

  /** A JSON number; −0 becomes 0, so that no row can show a sign that no sensor sent. */
  protected scanNumber(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    const negative = bytes[at] === MINUS;
    if (negative) at += 1;
    const integerStart = at;
    let mantissa = 0;
    for (; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte < ZERO || byte > NINE) break;
      mantissa = mantissa * 10 + (byte - ZERO);
    }
    let digits = at - integerStart;
    if (digits === 0 || (digits > 1 && bytes[integerStart] === ZERO)) return this.fallBack();
    let decimals = 0;
    if (at < end && bytes[at] === DOT) {
      const fractionStart = at + 1;
      for (at = fractionStart; at < end; at += 1) {
        const byte = bytes[at] ?? 0;
        if (byte < ZERO || byte > NINE) break;
        mantissa = mantissa * 10 + (byte - ZERO);
      }
      decimals = at - fractionStart;
      if (decimals === 0) return this.fallBack();
      digits += decimals;
    }
    if (at < end && (bytes[at] === LOWER_E || bytes[at] === UPPER_E)) {
      at = endOfExponent(bytes, at + 1, end);
      if (at < 0) return this.fallBack();
      digits = Infinity;
    }
    this.cursor = at;
    if (digits <= EXACT_DIGITS) {
      const magnitude = decimals === 0 ? mantissa : mantissa / (POWERS_OF_TEN[decimals] ?? NaN);
      return negative ? 0 - magnitude : magnitude;
    }
    return Number(String.fromCharCode(...bytes.subarray(start, at))) + 0;
  }

  /** Leave this piece to the strict parser. */
  protected fallBack(): number {
    this.cursor = -1;
    return NaN;
  }
}
