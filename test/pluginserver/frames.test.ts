import fc from "fast-check";
import { FrameReader, framesOf, TOO_LONG } from "../../pluginserver/frames";

/** Frames with these payloads, as they come. */
const framed = (payloads: Uint8Array[]) =>
	Buffer.concat(
		payloads.flatMap((payload) => {
			const length = Buffer.alloc(4);
			length.writeUInt32LE(payload.length);
			return [length, Buffer.from(payload)];
		}),
	);

/** Reads bytes in pieces that end at the given places. */
function readInPieces(bytes: Buffer, ends: number[], max = 1000) {
	const reader = new FrameReader(max);
	let from = 0;
	return [...ends, bytes.length].flatMap((to) => {
		// A copy, as the socket's next piece is in other memory.
		const piece = Buffer.from(bytes.subarray(from, to));
		from = to;
		return reader.read(piece);
	});
}

const PAYLOADS = [
	"",
	"a",
	"kong.nginx.get_ctx",
	"",
	"x".repeat(300),
	"end",
].map((text) => Buffer.from(text));

test("frames are the same wherever reads split them in two", () => {
	const bytes = framed(PAYLOADS);
	for (let at = 0; at <= bytes.length; at++)
		expect(readInPieces(bytes, [at])).toEqual(PAYLOADS);
});

test("frames are the same when each byte comes alone", () => {
	const bytes = framed(PAYLOADS);
	const ends = Array.from({ length: bytes.length }, (_, index) => index);
	expect(readInPieces(bytes, ends)).toEqual(PAYLOADS);
});

test("frames are the same in pieces of any sizes", () => {
	const payload = fc.uint8Array({ maxLength: 200 });
	fc.assert(
		fc.property(
			fc.array(payload, { maxLength: 20 }),
			fc.array(fc.nat(4000)),
			(payloads, places) => {
				const bytes = framed(payloads);
				const ends = places
					.filter((place) => place < bytes.length)
					.sort((a, b) => a - b);
				expect(readInPieces(bytes, ends)).toEqual(
					payloads.map((one) => Buffer.from(one)),
				);
			},
		),
	);
});

test("a frame that is too long is told once it is over, and the next ones are read", () => {
	const bytes = framed([
		Buffer.from("a"),
		Buffer.alloc(1001),
		Buffer.alloc(1000),
		Buffer.alloc(5000),
		Buffer.from("b"),
	]);
	const expected = [
		Buffer.from("a"),
		TOO_LONG,
		Buffer.alloc(1000),
		TOO_LONG,
		Buffer.from("b"),
	];
	for (const piece of [1, 7, 1000, bytes.length]) {
		const ends = [];
		for (let end = piece; end < bytes.length; end += piece) ends.push(end);
		expect(readInPieces(bytes, ends)).toEqual(expected);
	}
});

test("a frame that is too long is not kept", () => {
	const reader = new FrameReader(1000);
	const head = Buffer.alloc(4);
	head.writeUInt32LE(2 ** 32 - 1);
	expect(reader.read(head)).toEqual([]);
	const piece = Buffer.alloc(2 ** 20);
	const before = process.memoryUsage().arrayBuffers;
	for (let count = 0; count < 2 ** 12 - 1; count++) reader.read(piece);
	expect(reader.read(piece.subarray(1))).toEqual([TOO_LONG]);
	expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 21);
});

test("a length costs no memory before its bytes come", () => {
	const head = Buffer.alloc(5);
	head.writeUInt32LE(2 ** 30);
	const before = process.memoryUsage().arrayBuffers;
	const readers = Array.from({ length: 100 }, () => new FrameReader(2 ** 31));
	for (const reader of readers) reader.read(head);
	expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
});

test("what is written is read again, after a larger one too", () => {
	for (const size of [0, 1, 5000, 1_000_000, 10]) {
		const text = "é".repeat(size);
		const bytes = framesOf((frames) => {
			frames.text(text);
			frames.text("");
		});
		expect(new FrameReader(2 ** 22).read(bytes).map(String)).toEqual([
			text,
			"",
		]);
	}
});

test("what fails while it is written leaves nothing behind", () => {
	expect(() =>
		framesOf((frames) => {
			frames.text("half");
			throw new Error("fault");
		}),
	).toThrow("fault");
	expect(framesOf((frames) => frames.text("a"))).toEqual(
		framed([Buffer.from("a")]),
	);
});
