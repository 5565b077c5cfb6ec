import { PbfWriter } from "pbf";
import type { Message } from "./protobuf";

/** What is read in place of a frame that is longer than allowed, once its last byte has come. */
export const TOO_LONG = Symbol("a frame that is too long");

/** Bytes of the length before each frame, an unsigned little-endian integer. */
const HEAD = 4;

/**
 * Cuts the bytes of a connection into frames, wherever reads split them. Each byte is copied a bounded
 * number of times, however small the pieces are, and a length that is announced costs no memory until its
 * bytes come.
 */
export class FrameReader {
	/** The bytes of a frame that is not complete. */
	#bytes: Buffer = Buffer.alloc(0);
	#length = 0;
	/** Bytes of a frame that is too long, which are still to come. */
	#skip = 0;

	/** @param maxBytes the longest frame that is kept */
	constructor(readonly maxBytes: number) {}

	/** @returns the payloads that the chunk completed */
	read(chunk: Buffer): (Buffer | typeof TOO_LONG)[] {
		const frames: (Buffer | typeof TOO_LONG)[] = [];
		const bytes = this.#length > 0 ? this.#append(chunk) : chunk;
		let at = 0;
		while (at < bytes.length) {
			if (this.#skip > 0) {
				const skipped = Math.min(this.#skip, bytes.length - at);
				this.#skip -= skipped;
				at += skipped;
				if (this.#skip === 0) frames.push(TOO_LONG);
				continue;
			}
			if (bytes.length - at < HEAD) break;
			const size = bytes.readUInt32LE(at);
			if (size > this.maxBytes) {
				this.#skip = size;
				at += HEAD;
				continue;
			}
			const end = at + HEAD + size;
			if (bytes.length < end) break;
			frames.push(bytes.subarray(at + HEAD, end));
			at = end;
		}
		this.#keep(bytes.subarray(at));
		return frames;
	}

	/** Adds a chunk behind what is there, in place where there is room. */
	#append(chunk: Buffer): Buffer {
		const needed = this.#length + chunk.length;
		if (needed > this.#bytes.length) {
			const larger = Buffer.allocUnsafe(2 * needed);
			this.#bytes.copy(larger, 0, 0, this.#length);
			this.#bytes = larger;
		}
		chunk.copy(this.#bytes, this.#length);
		return this.#bytes.subarray(0, needed);
	}

	#keep(rest: Buffer): void {
		this.#length = rest.length;
		if (rest.length === 0) this.#bytes = NOTHING;
		// Else it stands there already, with room for more behind it.
		else if (
			rest.byteOffset !== this.#bytes.byteOffset ||
			rest.buffer !== this.#bytes.buffer
		)
			this.#bytes = rest;
	}
}

const NOTHING = Buffer.alloc(0);

/** A larger buffer is not kept for the next frames, in bytes. */
const MAX_KEPT_BUFFER = 256 * 1024;

let pbf = newPbf();

function newPbf(): PbfWriter {
	return new PbfWriter(new Uint8Array(4096));
}

/** Writes frames one after the other, for one write on a connection. */
export interface FrameWriter {
	/** A frame with a message. */
	message<T>(type: Message<T>, value: T): void;
	/** A frame with a text, which may be empty. */
	text(text: string): void;
}

const writer: FrameWriter = {
	message(type, value) {
		frame(() => type.write(value, pbf));
	},
	text(text) {
		frame(() => {
			const bytes = Buffer.from(text);
			pbf.realloc(bytes.length);
			pbf.buf.set(bytes, pbf.pos);
			pbf.pos += bytes.length;
		});
	},
};

function frame(writePayload: () => void): void {
	const start = pbf.pos;
	pbf.writeFixed32(0);
	writePayload();
	pbf.dataView.setUint32(start, pbf.pos - start - HEAD, true);
}

/** @returns the frames that `write` wrote, as they go out */
export function framesOf(write: (frames: FrameWriter) => void): Buffer {
	pbf.pos = 0;
	write(writer);
	const bytes = Buffer.from(pbf.buf.subarray(0, pbf.pos));
	if (pbf.length > MAX_KEPT_BUFFER) pbf = newPbf();
	return bytes;
}
