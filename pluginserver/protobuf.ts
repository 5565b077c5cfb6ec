import { PbfReader, type PbfWriter } from "pbf";

/** Bytes that are no message of the wanted type. */
export class MalformedMessage extends Error {}

/** Reads one frame's payload, never past its end. */
export class Reader extends PbfReader {
	constructor(readonly bytes: Buffer) {
		super(bytes);
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

	/** A text; bytes that are no UTF-8 (overlong ones too) become U+FFFD, and a mark at its start stays. */
	readText(): string {
		const end = this.readEnd();
		const text = this.bytes.toString("utf8", this.pos, end);
		this.pos = end;
		return text;
	}
}

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
	const named = Object.entries(fields);
	const byNumber: ([string, Field<unknown>] | undefined)[] = [];
	for (const entry of named) byNumber[entry[1].number] = entry;
	return {
		read(reader, end) {
			const members: Record<string, unknown> = {};
			while (reader.pos < end) {
				const tag = reader.readVarint();
				const [name, field] = byNumber[tag >>> 3] ?? [];
				if (name === undefined || field?.wireType !== (tag & 7))
					reader.skip(tag);
				else members[name] = field.read(reader, members[name]);
			}
			if (reader.pos !== end) throw new MalformedMessage();
			return members as MembersOf<F>;
		},
		write(value, writer) {
			for (const [name, field] of named)
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
		return type.read(new Reader(payload), payload.length);
	} catch {
		// The library's own errors, and a stack that nested values used up.
		throw new MalformedMessage();
	}
}

/** `string` */
export function text(number: number): Field<string> {
	return {
		number,
		wireType: 2,
		read: (reader) => reader.readText(),
		write: (writer, value) => writer.writeStringField(number, value),
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
