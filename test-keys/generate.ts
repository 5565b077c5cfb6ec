/** Makes all files of this folder anew: `npm run test-keys`. For trying and testing only. */
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../local/gateway/certificate";

const WARNING = "TEST KEY, known to everybody: never use it in production";
const TWENTY_YEARS = 20 * 365; // days

const asymmetric = {
	RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
	RS512: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
	ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
	EdDSA: () => generateKeyPairSync("ed25519"),
};

function write(name: string, content: string | object) {
	const text =
		typeof content === "string"
			? content
			: `${JSON.stringify(content, null, 2)}\n`;
	writeFileSync(join(__dirname, name), text);
}

function writeKeyPair(
	prefix: string,
	kid: string,
	alg: keyof typeof asymmetric,
) {
	const { privateKey } = asymmetric[alg]();
	const publicKey = createPublicKey(privateKey);
	const members = { kid, use: "sig", alg };
	const publicJwk = { ...publicKey.export({ format: "jwk" }), ...members };
	const privateJwk = { ...privateKey.export({ format: "jwk" }), ...members };
	write(`${prefix}-jwk-private.json`, { ...privateJwk, comment: WARNING });
	write(`${prefix}-jwk-public.json`, publicJwk);
	write(`${prefix}-jwks-public.json`, { keys: [publicJwk] });
	write(
		`${prefix}-public.pem`,
		publicKey.export({ type: "spki", format: "pem" }).toString(),
	);
}

async function main() {
	for (const alg of ["RS256", "RS512", "ES256", "EdDSA"] as const)
		writeKeyPair(alg, "kong", alg);
	for (const [alg, bytes] of [
		["HS256", 32],
		["HS512", 64],
	] as const) {
		const k = randomBytes(bytes).toString("base64url");
		write(`${alg}-jwk.json`, {
			kty: "oct",
			k,
			kid: "kong",
			use: "sig",
			alg,
			comment: WARNING,
		});
	}
	// The identity provider that signs the tokens clients come with.
	writeKeyPair("idp", "idp", "RS256");

	const authority = await makeCertificate(
		[{ O: ["Test CA, for tests only"] }, { CN: ["x-custom-jwt test CA"] }],
		{ ca: true, days: TWENTY_YEARS },
	);
	const client = await makeCertificate(
		[
			{ C: ["US"] },
			{ ST: ["California"] },
			{ O: ["Kong Inc."] },
			{ OU: ["Konnect"] },
			{ CN: ["kong"] },
			{ E: ["contact@konghq.com"] },
		],
		{ issuer: authority, days: TWENTY_YEARS },
	);
	write("client-ca.pem", authority.cert);
	write("client-cert.pem", client.cert);
	write("client-key.pem", client.key);
	console.log(
		"Now put the new keys into kong.yml and kong-enterprise.yml, and their thumbprints into jwk/test-keys.ts; `npx jest test/local/gateway/entities test/jwk/test-keys` says which differ.",
	);
}

main();
