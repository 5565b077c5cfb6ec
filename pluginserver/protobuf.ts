import { PbfReader, type PbfWriter } from "pbf";

const NOTHING = Buffer.alloc(0);

/** Bytes that are no message of the wanted type. */
export class MalformedMessage extends Error {}

/** Reads a frame's payload, never past its end. There is one, which takes one payload after the other. */
export class Reader extends PbfReader {
	bytes: Buffer = NOTHING;

	/** Begins with a payload. */
	take(bytes: Buffer): this {
		this.bytes = bytes;
		this.buf = bytes;
		this.length = bytes.length;
		this.pos = 0;
		return this;
	}

	/**
	 * The length of a field, turned into where it ends.
	 *
	 * @throws {MalformedMessage} when that is not within the payload
	 */
	readEnd(): number {
		const end = this.readVarint() + this.pos;
		if (end > this.length) throw new MalformedMessage();
		return end;
	}

	/** @throws {MalformedMessage} when the last field did not end there */
	requireAt(end: number): void {
		if (this.pos !== end) throw new MalformedMessage();
	}

	/** A text; bytes that are no UTF-8 (overlong ones too) become U+FFFD, and a mark at its start stays. */
	readText(): string {
		const end = this.readEnd();
		const text = this.bytes.toString("utf8", this.pos, end);
		this.pos = end;
		return text;
	}

	/** Without a view for each payload, which the library's needs. */
	override readDouble(): number {
		const value = this.bytes.readDoubleLE(this.pos);
		this.pos += 8;
		return value;
	}
}

const reader = new Reader(NOTHING);

/** One field of a message: its number, and how its value is written. */
export interface Field<T> {
	readonly number: number;
	/** As the encoding has it, e.g. 2 for what has a length. */
	readonly wireType: 0 | 1 | 2;
	/** @param previous the field's value as far as it was read: repeated fields add to it */
	read(reader: Reader, previous: T | undefined): T;
	write(writer: PbfWriter, value: T): void;
}

type Fields = Record<string, Field<unknown>>;

/** What a message is in JavaScript; a field that did not come is absent. */
type MembersOf<F extends Fields> = {
	-readonly [Name in keyof F]?: F[Name] extends Field<infer T> ? T : never;
};

/** A type of message. */
export interface Message<T> {
	/** Reads to `end`, and fails when the last field does not end there. */
	read(reader: Reader, end: number): T;
	write(value: T, writer: PbfWriter): void;
}

/** What a type of message is in JavaScript. */
export type Of<M> = M extends Message<infer T> ? T : never;

/** A message by its fields. Fields with other numbers are skipped, as proto3 wants it. */
export function message<F extends Fields>(fields: F): Message<MembersOf<F>> {
	const named = Object.entries(fields).map(([name, field]) => ({
		name,
		field,
	}));
	const byNumber: ((typeof named)[number] | undefined)[] = [];
	for (const one of named) byNumber[one.field.number] = one;
	return {
		read(reader, end) {
			const members: Record<string, unknown> = {};
			while (reader.pos < end) {
				const tag = reader.readVarint();
				const one = byNumber[tag >>> 3];
				if (one?.field.wireType !== (tag & 7)) reader.skip(tag);
				else members[one.name] = one.field.read(reader, members[one.name]);
			}
			reader.requireAt(end);
			return members as MembersOf<F>;
		},
		write(value, writer) {
			for (const { name, field } of named)
				if (value[name] !== undefined) field.write(writer, value[name]);
		},
	};
}

/**
 * Reads a frame's payload.
 *
 * @throws {MalformedMessage}
 */
export function decode<T>(type: Message<T>, payload: Buffer): T {
	try {
		return type.read(reader.take(payload), payload.length);
	} catch {
		// The library's own errors, and a stack that nested values used up.
		throw new MalformedMessage();
	} finally {
		// It may be of 16 MB.
		reader.take(NOTHING);
	}
}

/** Up to here the library is as quick, which writes one character after the other. */
const SHORT = 32;

const encoder = new TextEncoder();

/** `string` */
export function text(number: number): Field<string> {
	return {
		number,
		wireType: 2,
		read: (reader) => reader.readText(),
		write(writer, value) {
			if (value.length <= SHORT) {
				writer.writeStringField(number, value);
				return;
			}
			const length = Buffer.byteLength(value);
			writer.writeTag(number, 2);
			writer.writeVarint(length);
			writer.realloc(length);
			encoder.encodeInto(value, writer.buf.subarray(writer.pos));
			writer.pos += length;
		},
	};
}

/** `bytes` */
export function bytes(number: number): Field<Buffer> {
	return {
		number,
		wireType: 2,
		read(reader) {
			const end = reader.readEnd();
			const value = reader.bytes.subarray(reader.pos, end);
			reader.pos = end;
			return value;
		},
		write: (writer, value) => writer.writeBytesField(number, value),
	};
}

/** `int32` and `int64`; JavaScript holds them up to 2^53. */
export function int(number: number): Field<number> {
	return {
		number,
		wireType: 0,
		read: (reader) => reader.readVarint(true),
		write: (writer, value) => writer.writeVarintField(number, value),
	};
}

/** `double` */
export function double(number: number): Field<number> {
	return {
		number,
		wireType: 1,
		read: (reader) => reader.readDouble(),
		write: (writer, value) => writer.writeDoubleField(number, value),
	};
}

/** `bool` */
export function bool(number: number): Field<boolean> {
	return {
		number,
		wireType: 0,
		read: (reader) => reader.readBoolean(),
		write: (writer, value) => writer.writeBooleanField(number, value),
	};
}

/** A message within a message. */
export function nested<T>(number: number, type: Message<T>): Field<T> {
	return {
		number,
		wireType: 2,
		read: (reader) => type.read(reader, reader.readEnd()),
		write: (writer, value) => writer.writeMessage(number, type.write, value),
	};
}

/** `repeated`, of what has a length. */
export function repeated<T>(one: Field<T>): Field<T[]> {
	return {
		number: one.number,
		wireType: one.wireType,
		read(reader, previous = []) {
			previous.push(one.read(reader, undefined));
			return previous;
		},
		write(writer, values) {
			for (const value of values) one.write(writer, value);
		},
	};
}
