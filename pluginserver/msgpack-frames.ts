import { decode } from "@msgpack/msgpack";

/** Bytes that cannot be read as frames; the connection they came on is beyond repair. */
export class FrameError extends Error {}

/** Far more than Kong sends; a few bytes could otherwise become gigabytes of empty objects. */
const MAX_ITEMS = 100_000;

/**
 * Cuts the bytes of a connection into MessagePack frames, wherever reads split them. The end of a
 * frame is found before it is decoded: a decoder of streams would cost as much again as all else.
 * Each byte is looked at once, however small the pieces are that it comes in.
 *
 * @param maxBytes the longest frame that is read, in bytes
 * @returns a function that takes the next chunk and gives the decoded frames it completed; it throws
 * `FrameError` for what is not MessagePack and for a frame that is too long
 */
export function frameReader(
	maxBytes: number,
): (chunk: Uint8Array) => unknown[] {
	let bytes: Uint8Array = new Uint8Array();
	// How many of them have come; the others are room for more.
	let length = 0;
	let scan = new FrameScan(maxBytes);
	return (chunk) => {
		bytes = length > 0 ? append(bytes, length, chunk) : chunk;
		length += chunk.length;
		const frames: unknown[] = [];
		while (scan.completes(bytes, length)) {
			frames.push(decodeFrame(bytes.subarray(0, scan.position)));
			bytes = bytes.subarray(scan.position, length);
			length = bytes.length;
			scan = new FrameScan(maxBytes);
		}
		return frames;
	};
}

/** Adds a chunk behind the first `length` bytes, in place where there is room. */
function append(
	bytes: Uint8Array,
	length: number,
	chunk: Uint8Array,
): Uint8Array {
	const needed = length + chunk.length;
	const target = needed > bytes.length ? Buffer.allocUnsafe(2 * needed) : bytes;
	if (target !== bytes) target.set(bytes.subarray(0, length));
	target.set(chunk, length);
	return target;
}

function decodeFrame(bytes: Uint8Array): unknown {
	try {
		return decode(bytes);
	} catch {
		// Well-formed, yet not for JavaScript: a map whose key is a map, say.
		throw new FrameError("unusual MessagePack");
	}
}

/** Bytes after the head byte of the items that have a fixed size. */
const FIXED_SIZES = new Map([
	...[0xc0, 0xc2, 0xc3].map((head) => [head, 0] as const), // nil, false, true
	...[0xcc, 0xd0].map((head) => [head, 1] as const), // 8-bit integers
	...[0xcd, 0xd1].map((head) => [head, 2] as const),
	...[0xce, 0xd2, 0xca].map((head) => [head, 4] as const), // and float
	...[0xcf, 0xd3, 0xcb].map((head) => [head, 8] as const), // and double
	...[1, 2, 4, 8, 16].map((size, i) => [0xd4 + i, 1 + size] as const), // fixext
]);

/** Items that say their size: where it stands, and what it counts. */
const SIZED = new Map(
	(
		[
			[0xc4, "byte", 0], // bin
			[0xc7, "byte", 1], // ext, with its type
			[0xd9, "byte", 0], // str
			[0xdc, "item", 0], // array
			[0xde, "pair", 0], // map
		] as const
	).flatMap(([head, unit, extra]) =>
		// Arrays and maps have no form with a one-byte size.
		(unit === "byte" ? [1, 2, 4] : [2, 4]).map(
			(sizeBytes, i) => [head + i, { sizeBytes, unit, extra }] as const,
		),
	),
);

/**
 * A walk through one MessagePack item, which goes on where it stood when more bytes have come.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md#formats
 */
class FrameScan {
	/** Where the next item within this one starts; at last, the length. */
	position = 0;
	/** Items that start there or later, as far as is known. */
	#items = 1;
	#itemsBefore = 0;

	constructor(readonly maxBytes: number) {}

	/**
	 * @param length how many of the bytes have come
	 * @returns whether the item ends within them
	 * @throws {FrameError}
	 */
	completes(bytes: Uint8Array, length: number): boolean {
		let { position } = this;
		let items = this.#items;
		while (items > 0) {
			if (position >= length) break;
			const head = bytes[position] ?? 0;
			const sized = SIZED.get(head);
			// Goes on here once the size has come.
			if (sized && position + sized.sizeBytes >= length) break;
			position += 1;
			items -= 1;
			this.#itemsBefore += 1;
			if (head <= 0x7f || head >= 0xe0) continue; // small integers
			if (head <= 0x8f) items += 2 * (head & 0x0f);
			else if (head <= 0x9f) items += head & 0x0f;
			else if (head <= 0xbf) position += head & 0x1f;
			else if (sized) {
				const size = readSize(bytes, position, sized.sizeBytes);
				position += sized.sizeBytes + sized.extra;
				if (sized.unit === "byte") position += size;
				else items += sized.unit === "pair" ? 2 * size : size;
			} else {
				const size = FIXED_SIZES.get(head);
				if (size === undefined) throw new FrameError("not MessagePack");
				position += size;
			}
			if (this.#itemsBefore + items > MAX_ITEMS)
				throw new FrameError(`a frame of more than ${MAX_ITEMS} items`);
			// Each item that is still to come has at least one byte.
			if (position + items > this.maxBytes)
				throw new FrameError(`a frame of more than ${this.maxBytes} bytes`);
		}
		this.position = position;
		this.#items = items;
		return items === 0 && position <= length;
	}
}

/** A big-endian unsigned integer. */
function readSize(bytes: Uint8Array, position: number, count: number): number {
	let size = 0;
	for (let i = 0; i < count; i++)
		size = size * 256 + (bytes[position + i] ?? 0);
	return size;
}
