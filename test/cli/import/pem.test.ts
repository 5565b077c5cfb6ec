import {
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
} from "node:crypto";
import { importKey } from "../../../cli/import/import-key";
import { keysOfPem } from "../../../cli/import/pem";
import { importSigningKey } from "../../../jwk/signing-key";
import { makeCertificate } from "../../../local/gateway/certificate";

const pssPair = (hash: string) =>
	generateKeyPairSync("rsa-pss", {
		modulusLength: 2048,
		hashAlgorithm: hash,
		mgf1HashAlgorithm: hash,
	});
const pem = (key: KeyObject) =>
	(key.type === "private"
		? key.export({ type: "pkcs8", format: "pem" })
		: key.export({ type: "spki", format: "pem" })
	).toString();
const block = (label: string, der: Buffer) =>
	`-----BEGIN ${label}-----\n${der.toString("base64")}\n-----END ${label}-----\n`;

test.each([
	["sha256", "PS256"],
	["sha384", "PS384"],
	["sha512", "PS512"],
])("an RSA-PSS key for %s signs with %s", (hash, alg) => {
	const { privateKey, publicKey } = pssPair(hash);
	const { jwk } = importKey(pem(privateKey));
	expect(jwk).toMatchObject({ kty: "RSA", alg });
	expect(importSigningKey(JSON.stringify(jwk)).alg).toBe(alg);
	const [half = {}] = keysOfPem(pem(publicKey));
	expect(half).toEqual({ kty: "RSA", n: jwk.n, e: jwk.e, alg });
});

test("an RSA-PSS key for a hash that JWS does not have is named", () => {
	const { privateKey } = pssPair("sha1");
	expect(() => importKey(pem(privateKey))).toThrow("signatures with sha1");
});

test("an RSA-PSS key that names no hash is for PS256", () => {
	const { privateKey } = generateKeyPairSync("rsa-pss", {
		modulusLength: 2048,
	});
	expect(importKey(pem(privateKey)).jwk).toHaveProperty("alg", "PS256");
});

test.each(["with", "without"])(
	"PKCS #8 of version 2 is read, %s the public key at its end",
	(end) => {
		const { privateKey } = generateKeyPairSync("ed25519");
		const jwk = privateKey.export({ format: "jwk" });
		const one = privateKey.export({ type: "pkcs8", format: "der" });
		const half = Buffer.concat([
			Buffer.from([0x81, 33, 0]),
			Buffer.from(String(jwk.x), "base64url"),
		]);
		const two = Buffer.concat(end === "with" ? [one, half] : [one]);
		two[1] = two.length - 2;
		// The version.
		two[4] = 1;
		expect(importKey(block("PRIVATE KEY", two)).jwk).toMatchObject(jwk);
	},
);

test("an OpenSSH private key is named with the command that converts it", () => {
	const text = block("OPENSSH PRIVATE KEY", Buffer.from("openssh-key-v1"));
	expect(() => importKey(text)).toThrow(
		/OpenSSH private key.*ssh-keygen -p -m PKCS8/,
	);
});

test("a public key and a certificate are keys, with the certificate as x5c", async () => {
	const { cert, key } = await makeCertificate([{ CN: ["kong"] }], { days: 1 });
	const half = createPublicKey(key);
	const [open = {}] = keysOfPem(pem(half));
	expect(open).toEqual(half.export({ format: "jwk" }));
	const [certified = {}] = keysOfPem(cert);
	expect(certified).toEqual({ ...open, x5c: [expect.any(String)] });
});
