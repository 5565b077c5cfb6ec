import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { FrameError, frameReader } from "../../pluginserver/msgpack-frames";

const LIMIT = 1024 * 1024;

/** What MessagePack can say and JavaScript can hold, long texts and byte strings among it. */
const { value } = fc.letrec((tie) => ({
	value: fc.oneof(
		{ maxDepth: 4, depthSize: "small" },
		fc.constantFrom(null, true, false, -0, 2 ** 53 - 1, -(2 ** 31), 0x80, -33),
		fc.maxSafeInteger(),
		fc.double(),
		fc.string({ unit: "binary" }),
		fc.nat(70_000).map((length) => "x".repeat(length)),
		fc.uint8Array({ maxLength: 300 }),
		fc.array(tie("value")),
		fc.nat(20).map((length) => new Array(length).fill(1)),
		fc.dictionary(
			fc.string().filter((name) => name !== "__proto__"),
			tie("value"),
		),
	),
}));

/** Cuts bytes at the places that the numbers name. */
function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
	const ends = places
		.map((place) => place % (bytes.length + 1))
		.sort((a, b) => a - b);
	return [...ends, bytes.length].map((end, i) =>
		bytes.subarray(ends[i - 1] ?? 0, end),
	);
}

/** What a reader makes of chunks, each in memory of its own as it is from a socket. */
function readAll(chunks: Uint8Array[]): unknown[] {
	const read = frameReader(LIMIT);
	return chunks.flatMap((chunk) => read(Uint8Array.from(chunk)));
}

/** One item for each head byte that starts one, with its length. */
const FORMATS: [name: string, bytes: number[]][] = [
	["positive fixint", [0x7f]],
	["fixmap", [0x81, 0xa1, 0x61, 0x01]],
	["fixarray", [0x92, 0xc0, 0xc3]],
	["fixstr", [0xa2, 0x61, 0x62]],
	["nil", [0xc0]],
	["false", [0xc2]],
	["true", [0xc3]],
	["bin 8", [0xc4, 2, 1, 2]],
	["bin 16", [0xc5, 0, 2, 1, 2]],
	["bin 32", [0xc6, 0, 0, 0, 2, 1, 2]],
	["ext 8", [0xc7, 2, 9, 1, 2]],
	["ext 16", [0xc8, 0, 2, 9, 1, 2]],
	["ext 32", [0xc9, 0, 0, 0, 2, 9, 1, 2]],
	["float 32", [0xca, 1, 2, 3, 4]],
	["float 64", [0xcb, 1, 2, 3, 4, 5, 6, 7, 8]],
	["uint 8", [0xcc, 1]],
	["uint 16", [0xcd, 1, 2]],
	["uint 32", [0xce, 1, 2, 3, 4]],
	["uint 64", [0xcf, 0, 0, 0, 4, 5, 6, 7, 8]],
	["int 8", [0xd0, 1]],
	["int 16", [0xd1, 1, 2]],
	["int 32", [0xd2, 1, 2, 3, 4]],
	["int 64", [0xd3, 0, 0, 0, 4, 5, 6, 7, 8]],
	["fixext 1", [0xd4, 9, 1]],
	["fixext 2", [0xd5, 9, 1, 2]],
	["fixext 4", [0xd6, 9, 1, 2, 3, 4]],
	["fixext 8", [0xd7, 9, 1, 2, 3, 4, 5, 6, 7, 8]],
	["fixext 16", [0xd8, 9, ...new Array(16).fill(1)]],
	["str 8", [0xd9, 2, 0x61, 0x62]],
	["str 16", [0xda, 0, 2, 0x61, 0x62]],
	["str 32", [0xdb, 0, 0, 0, 2, 0x61, 0x62]],
	["array 16", [0xdc, 0, 2, 0xc0, 0xcc, 0xff]],
	["array 32", [0xdd, 0, 0, 0, 1, 0xcc, 0xff]],
	["map 16", [0xde, 0, 1, 0xa1, 0x61, 0xcc, 0xff]],
	["map 32", [0xdf, 0, 0, 0, 1, 0xa1, 0x61, 0xc0]],
	["negative fixint", [0xe0]],
];

const WIRE = join(__dirname, "../fixtures/kong-wire");

/** Bytes of Kong 3.9.3 and of the stock server. */
const RECORDED = readdirSync(WIRE)
	.filter((file) => file.endsWith(".jsonl"))
	.flatMap((file) => readFileSync(join(WIRE, file), "utf8").trim().split("\n"))
	.map((line) => Buffer.from(JSON.parse(line).hex, "hex"));

/** The frames that are whole in these bytes. */
function framesIn(bytes: Uint8Array, limit = LIMIT): unknown[] {
	return frameReader(limit)(bytes);
}

describe("frames of any values", () => {
	test("come out whole and in order, wherever the bytes are cut", () => {
		fc.assert(
			fc.property(
				fc.array(value, { minLength: 1, maxLength: 4 }),
				fc.array(fc.nat(), { maxLength: 12 }),
				(values, places) => {
					const encoded = values.map((one) => encode(one));
					const chunks = cut(Buffer.concat(encoded), places);
					expect(readAll(chunks)).toEqual(encoded.map((one) => decode(one)));
				},
			),
			{ numRuns: 1000 },
		);
	});

	test("have a length that no shorter piece has", () => {
		fc.assert(
			fc.property(value, fc.nat(), (one, place) => {
				const bytes = encode(one);
				expect(framesIn(bytes)).toHaveLength(1);
				const piece = bytes.subarray(0, place % bytes.length);
				expect(framesIn(piece)).toEqual([]);
			}),
			{ numRuns: 1000 },
		);
	});
});

describe("each format of MessagePack", () => {
	test.each(FORMATS)("%s is read, in one piece and byte by byte", (_, item) => {
		const bytes = Uint8Array.from([...item, ...item]);
		const decoded = decode(Uint8Array.from(item));
		for (let end = 0; end < item.length; end++)
			expect(framesIn(bytes.subarray(0, end))).toEqual([]);
		const single = [...bytes].map((byte) => Uint8Array.of(byte));
		for (const chunks of [[bytes], single])
			expect(readAll(chunks)).toEqual([decoded, decoded]);
	});

	test("0xc1, which is none, is refused", () => {
		expect(() => framesIn(Uint8Array.of(0xc1))).toThrow(FrameError);
		expect(() => readAll([Uint8Array.of(0x91), Uint8Array.of(0xc1)])).toThrow(
			"not MessagePack",
		);
	});

	test("every other byte starts an item", () => {
		for (let head = 0; head < 256; head++)
			if (head !== 0xc1)
				expect(() => framesIn(Uint8Array.of(head))).not.toThrow();
	});
});

describe("recorded frames of Kong", () => {
	test("are read at every split point", () => {
		expect(RECORDED.length).toBeGreaterThan(100);
		const misread = RECORDED.filter((bytes) => {
			const frame = Buffer.from(encode([decode(bytes)]));
			return [...bytes.keys()].some((at) => {
				const chunks = [bytes.subarray(0, at), bytes.subarray(at)];
				return !frame.equals(encode(readAll(chunks)));
			});
		});
		expect(misread).toEqual([]);
	});

	test("are read when all come at once", () => {
		const all = Buffer.concat(RECORDED);
		expect(readAll([all])).toEqual(RECORDED.map((bytes) => decode(bytes)));
	});
});

describe("what is too much", () => {
	test.each([
		["bin 32", [0xc6, 0xff, 0xff, 0xff, 0xff]],
		["ext 32", [0xc9, 0xff, 0xff, 0xff, 0xff]],
		["str 32", [0xdb, 0x00, 0x10, 0x00, 0x00]],
		["array 32", [0xdd, 0xff, 0xff, 0xff, 0xff]],
		["map 32", [0xdf, 0x80, 0x00, 0x00, 0x00]],
	])("a %s is refused by the size it declares", (_, head) => {
		expect(() => framesIn(Uint8Array.from(head))).toThrow(FrameError);
	});

	test("a frame of the very limit is read, one byte more is refused", () => {
		const text = encode("x".repeat(1000));
		expect(framesIn(text, text.length)).toHaveLength(1);
		expect(() => framesIn(text, text.length - 1)).toThrow(
			`a frame of more than ${text.length - 1} bytes`,
		);
	});

	test("the limit is for each frame, not for what came at once", () => {
		const text = encode("x".repeat(1000));
		const read = frameReader(text.length);
		expect(read(Buffer.concat([text, text, text]))).toHaveLength(3);
	});

	test.each([
		["arrays in arrays", 0x91],
		["maps in maps", 0x81],
		["empty arrays", 0x90],
		["empty maps", 0x80],
		["nils", 0xc0],
	])("millions of %s are refused", (_, head) => {
		const bytes = Buffer.alloc(8 * LIMIT, head);
		// Those that hold nothing are in an array; a map in a map is its own first key.
		if (head !== 0x91 && head !== 0x81) {
			bytes[0] = 0xdd;
			bytes.writeUInt32BE(bytes.length - 5, 1);
		}
		expect(() => frameReader(16 * LIMIT)(bytes)).toThrow(FrameError);
	});

	test("a frame in 16,000 pieces is put together once", () => {
		const bytes = encode(["x".repeat(16_000_000), [1, [2, [3]]]]);
		const read = frameReader(16 * LIMIT);
		const frames: unknown[] = [];
		for (let at = 0; at < bytes.length; at += 1000)
			frames.push(...read(bytes.subarray(at, at + 1000)));
		expect(frames).toHaveLength(1);
		expect(Buffer.from(encode(frames[0])).equals(bytes)).toBe(true);
	});
});

test("bytes of no meaning give values or a FrameError, nothing else", () => {
	const bytes = fc.oneof(
		fc.uint8Array({ maxLength: 200 }),
		// Mostly containers, so that walks go deep.
		fc
			.array(fc.constantFrom(0x81, 0x92, 0xdc, 0xde, 0, 1, 0xa1, 0xc7, 0xd6))
			.map((heads) => Uint8Array.from(heads)),
	);
	fc.assert(
		fc.property(fc.array(bytes, { maxLength: 5 }), (chunks) => {
			try {
				readAll(chunks);
			} catch (error) {
				expect(error).toBeInstanceOf(FrameError);
			}
		}),
		{ numRuns: 20_000 },
	);
});
