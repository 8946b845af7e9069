// Makes a screenshot small: Chromium's PNG (8 bits per channel, not interlaced) as one with a palette of at most 256 colours.
// Flat pages have few; of the shades of antialiased letters, the rare ones give way to their nearest neighbours.

import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const MAX_COLOURS = 256;
const CRC_BYTES = 4;

/** @param png RGB or RGBA; alpha is dropped: pages have none */
export function smallPng(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png);
  return encode(width, height, index(pixels));
}

interface Indexed {
  /** Each 0xRRGGBB. */
  readonly palette: readonly number[];
  readonly indexes: Uint8Array;
}

function index(pixels: Uint8Array): Indexed {
  const colours = new Uint32Array(pixels.length / 3);
  const counts = new Map<number, number>();
  for (let at = 0; at < colours.length; at++) {
    const colour = ((pixels[at * 3] ?? 0) << 16) | ((pixels[at * 3 + 1] ?? 0) << 8) | (pixels[at * 3 + 2] ?? 0);
    colours[at] = colour;
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const palette = [...counts]
    .sort(([, one], [, other]) => other - one)
    .slice(0, MAX_COLOURS)
    .map(([colour]) => colour);
  const places = new Map([...counts.keys()].map((colour) => [colour, nearest(palette, colour)]));
  return { palette, indexes: Uint8Array.from(colours, (colour) => places.get(colour) ?? 0) };
}

/** Of the colours that are frequent enough to be kept exactly. */
function nearest(palette: readonly number[], colour: number): number {
  let found = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [at, candidate] of palette.entries()) {
    const [red, green, blue] = [16, 8, 0].map((shift) => ((candidate >> shift) & 0xff) - ((colour >> shift) & 0xff)) as [
      number,
      number,
      number,
    ];
    const distance = red * red + green * green + blue * blue;
    if (distance < least) [least, found] = [distance, at];
  }
  return found;
}

function decode(png: Buffer): { readonly width: number; readonly height: number; readonly pixels: Uint8Array } {
  let head: Buffer = Buffer.alloc(0);
  const data: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") head = body;
    if (type === "IDAT") data.push(body);
    at += 8 + length + CRC_BYTES;
  }
  const [width, height, depth, kind] = [head.readUInt32BE(0), head.readUInt32BE(4), head[8], head[9]];
  if (depth !== 8 || (kind !== 2 && kind !== 6) || head[12] !== 0) throw new Error("not a screenshot of Chromium");
  return { width, height, pixels: unfilter(inflateSync(Buffer.concat(data)), width, height, kind === 6 ? 4 : 3) };
}

/** PNG specification (third edition), section 9. */
function unfilter(raw: Buffer, width: number, height: number, channels: number): Uint8Array {
  const stride = width * channels;
  const lines = new Uint8Array(stride * height);
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x < channels ? 0 : (lines[at - channels] ?? 0);
      const up = y === 0 ? 0 : (lines[at - stride] ?? 0);
      const corner = y === 0 || x < channels ? 0 : (lines[at - stride - channels] ?? 0);
      const value = (raw[y * (stride + 1) + 1 + x] ?? 0) + predict(filter, left, up, corner);
      lines[at] = value;
      if (x % channels < 3) pixels[(y * width + Math.floor(x / channels)) * 3 + (x % channels)] = value;
    }
  }
  return pixels;
}

function predict(filter: number | undefined, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  return filter === 4 ? paeth(left, up, corner) : 0;
}

function paeth(left: number, up: number, corner: number): number {
  const [toLeft, toUp, toCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

function encode(width: number, height: number, { palette, indexes }: Indexed): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 0xff, colour & 0xff]));
  const lines = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) lines.set(indexes.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const chunks = [
    chunk("IHDR", head),
    chunk("PLTE", colours),
    chunk("IDAT", deflateSync(lines, { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return Buffer.concat([SIGNATURE, ...chunks]);
}

function chunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(CRC_BYTES)];
  length.writeUInt32BE(body.length);
  sum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, sum]);
}
