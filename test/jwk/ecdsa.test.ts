import { generateKeyPairSync, sign, verify } from "node:crypto";
import { jwsSignature } from "../../jwk/ecdsa";

const integer = (digits: Buffer) =>
	Buffer.concat([Buffer.from([0x02, digits.length]), digits]);

function sequence(r: Buffer, s: Buffer): Buffer {
	const numbers = Buffer.concat([integer(r), integer(s)]);
	const { length } = numbers;
	const head = length < 128 ? [0x30, length] : [0x30, 0x81, length];
	return Buffer.concat([Buffer.from(head), numbers]);
}

test("numbers that begin with zeros, or whose first bit is set, fill their half", () => {
	const short = Buffer.from([7]);
	const signed = Buffer.concat([Buffer.from([0]), Buffer.alloc(32, 0xff)]);
	const small = Buffer.alloc(31, 0x11);
	const hex = (der: Buffer) => jwsSignature(der, 32).toString("hex");
	const [seven, full, less] = [
		`${"00".repeat(31)}07`,
		"ff".repeat(32),
		`00${"11".repeat(31)}`,
	];
	expect(hex(sequence(short, signed))).toBe(seven + full);
	expect(hex(sequence(signed, small))).toBe(full + less);
	expect(hex(sequence(small, short))).toBe(less + seven);
});

test.each([
	["P-256", "sha256", 32, 600],
	["P-384", "sha384", 48, 20],
	["P-521", "sha512", 66, 20],
])("all signatures of %s verify", (namedCurve, hash, size, count) => {
	const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
	const key = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
	for (let index = 0; index < count; index++) {
		const text = Buffer.from(`${index}`);
		const signature = jwsSignature(sign(hash, text, privateKey), size);
		expect(signature).toHaveLength(2 * size);
		expect(verify(hash, text, key, signature)).toBe(true);
	}
});
