/** A place in a text, and what the scanners ask of it. */
export class Cursor {
  readonly input: string;
  /** Of the next character to read. */
  pos = 0;

  constructor(input: string) {
    this.input = input;
  }

  /** The character `offset` places on, '' behind the end. */
  peek(offset = 0): string {
    return this.input[this.pos + offset] ?? '';
  }

  /** Goes past the next character if it is one of `chars`. */
  accept(chars: string): boolean {
    const char = this.peek();
    if (char === '' || !chars.includes(char)) return false;
    this.pos++;
    return true;
  }

  acceptRun(isPart: (char: string) => boolean): void {
    while (isPart(this.peek())) this.pos++;
  }
}

export function isDigit(char: string): boolean {
  return char >= '0' && char <= '9' && char.length === 1;
}

export function isHexDigit(char: string): boolean {
  return /^[0-9a-fA-F]$/.test(char);
}

export function isAlpha(char: string): boolean {
  return char === '_' || (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z');
}

export function isAlphanumeric(char: string): boolean {
  return isAlpha(char) || isDigit(char);
}
