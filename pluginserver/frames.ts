import { decode } from "@msgpack/msgpack";

/** Bytes that cannot be read as frames; the connection they came on is beyond repair. */
export class FrameError extends Error {}

/**
 * Cuts the bytes of a connection into MessagePack frames, wherever reads split them. The end of a
 * frame is found before it is decoded: a decoder of streams would cost as much again as all else.
 *
 * @param maxBytes the longest frame that is read, in bytes
 * @returns a function that takes the next chunk and gives the decoded frames it completed; it throws
 * `FrameError` for what is not MessagePack and for a frame that is too long
 */
export function frameReader(
	maxBytes: number,
): (chunk: Uint8Array) => unknown[] {
	let rest: Uint8Array = new Uint8Array();
	return (chunk) => {
		rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
		const frames: unknown[] = [];
		for (;;) {
			const length = frameLength(rest, maxBytes);
			if (length === undefined) return frames;
			frames.push(decodeFrame(rest.subarray(0, length)));
			rest = rest.subarray(length);
		}
	};
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
 * Length of the MessagePack item at the start of the bytes, in bytes.
 *
 * @returns `undefined` when the item goes on beyond the bytes
 * @throws {FrameError} for a byte that starts no item, and for an item longer than `maxBytes`
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md#formats
 */
export function frameLength(
	bytes: Uint8Array,
	maxBytes: number,
): number | undefined {
	let position = 0;
	let items = 1;
	while (items > 0) {
		// Each item that is still to come has at least one byte.
		if (position + items > maxBytes)
			throw new FrameError(`a frame of more than ${maxBytes} bytes`);
		const head = bytes[position];
		if (head === undefined) return undefined;
		position += 1;
		items -= 1;
		const sized = SIZED.get(head);
		if (head <= 0x7f || head >= 0xe0) continue; // small integers
		if (head <= 0x8f) items += 2 * (head & 0x0f);
		else if (head <= 0x9f) items += head & 0x0f;
		else if (head <= 0xbf) position += head & 0x1f;
		else if (sized) {
			if (position + sized.sizeBytes > bytes.length) return undefined;
			const size = readSize(bytes, position, sized.sizeBytes);
			position += sized.sizeBytes + sized.extra;
			if (sized.unit === "byte") position += size;
			else items += sized.unit === "pair" ? 2 * size : size;
		} else {
			const size = FIXED_SIZES.get(head);
			if (size === undefined) throw new FrameError("not MessagePack");
			position += size;
		}
	}
	if (position > maxBytes)
		throw new FrameError(`a frame of more than ${maxBytes} bytes`);
	return position <= bytes.length ? position : undefined;
}

/** A big-endian unsigned integer. */
function readSize(bytes: Uint8Array, position: number, count: number): number {
	let size = 0;
	for (let i = 0; i < count; i++)
		size = size * 256 + (bytes[position + i] ?? 0);
	return size;
}
