import { framesOf } from "../../pluginserver/frames";
import { PDK, RpcCall, Struct, Value } from "../../pluginserver/messages";
import { decode, MalformedMessage } from "../../pluginserver/protobuf";
import { readWire, typesByName, wireRecordings } from "../support/wire";

/** As the recordings say it: bytes in base64. */
function said(decoded: unknown): unknown {
	return JSON.parse(
		JSON.stringify(decoded ?? null, (_, value) =>
			value?.type === "Buffer"
				? Buffer.from(value.data).toString("base64")
				: value,
		),
	);
}

const recorded = wireRecordings.flatMap((name) =>
	readWire(name).flatMap(({ type = "", bytes, decoded }) => {
		const known = typesByName[type];
		const isUndecodable = JSON.stringify(decoded ?? "").includes("undecodable");
		return known && !isUndecodable
			? [{ name, type: known, bytes, decoded }]
			: [];
	}),
);

test("what Kong and a plugin server sent each other is read as it was meant", () => {
	expect(recorded.length).toBeGreaterThan(500);
	for (const { name, type, bytes, decoded } of recorded)
		expect({ name, said: said(decode(type, bytes)) }).toEqual({
			name,
			said: said(decoded),
		});
});

test("what is written is read as the same", () => {
	for (const { name, type, bytes } of recorded) {
		const value = decode(type, bytes);
		const written = framesOf((frames) => frames.message(type, value));
		expect(written.readUInt32LE()).toBe(written.length - 4);
		expect({ name, value: decode(type, written.subarray(4)) }).toEqual({
			name,
			value,
		});
	}
});

test("the PDK methods called are methods of real Kong, with its types", () => {
	const methods = new Map(
		wireRecordings.flatMap((name) => {
			const frames = readWire(name);
			return frames.flatMap(({ method }, index) =>
				method
					? [[method, [frames[index + 1]?.type, frames[index + 2]?.type]]]
					: [],
			);
		}) as [string, [string, string]][],
	);
	for (const { name, takes, gives } of Object.values(PDK)) {
		const [argument, result] = methods.get(name) ?? [];
		if (!argument || !result) continue;
		expect([name, typesByName[argument]]).toEqual([name, takes]);
		// Kong closed the connection in place of a result, or sent an empty one.
		if (name !== PDK.exit.name)
			expect([name, typesByName[result]]).toEqual([name, gives]);
	}
});

test("a text that is no UTF-8 has a replacement character for each fault", () => {
	// The overlong form of a space, a half of a surrogate pair, an incomplete sequence.
	for (const hex of ["c0a0", "eda080", "e282"]) {
		const bytes = Buffer.from(hex, "hex");
		const frame = Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]);
		expect(decode(PDK.getHeader.gives, frame).v).toMatch(/^\uFFFD+$/);
	}
	const mark = Buffer.from("0a05efbbbf6162", "hex");
	expect(decode(PDK.getHeader.gives, mark).v).toBe("\uFEFFab");
});

test("a member __proto__ is a member like others", () => {
	const frame = framesOf((frames) =>
		frames.message(Struct, JSON.parse('{"__proto__": {"sub": "ceo"}}')),
	);
	const struct = decode(Struct, frame.subarray(4));
	expect(Object.keys(struct)).toEqual(["__proto__"]);
	expect(struct.sub).toBeUndefined();
});

test("bytes that end in the middle of a field are no message", () => {
	const credential = readWire("key-auth").find(({ reply }) => reply);
	const whole = credential?.bytes ?? Buffer.alloc(0);
	// Of a struct's frame, every part but the empty one breaks a field.
	for (let end = 1; end < whole.length; end++)
		expect(() => decode(Value, whole.subarray(0, end))).toThrow(
			MalformedMessage,
		);
	expect(() => decode(RpcCall, Buffer.from("a202ffffffff0f", "hex"))).toThrow(
		MalformedMessage,
	);
});

test("values nested beyond the stack are no message, and end nothing", () => {
	const levels: Buffer[] = [];
	for (let depth = 0, size = 0; depth < 200_000; depth++) {
		const list = head(0x0a, size);
		const value = head(0x32, size + list.length);
		levels.push(Buffer.concat([value, list]));
		size += value.length + list.length;
	}
	expect(() => decode(Value, Buffer.concat(levels.reverse()))).toThrow(
		MalformedMessage,
	);
});

function head(tag: number, length: number): Buffer {
	const bytes = [tag];
	let rest = length;
	for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
	return Buffer.from([...bytes, rest]);
}
