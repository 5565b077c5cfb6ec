import { createPublicKey } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { JWK } from "jose";
import { errorCode, readInput } from "../declarative/read-file";
import { isPrivate } from "../jwk/members";
import { quoted } from "../jwk/printable";
import { nameOf } from "../jwk/public-members";
import { privateJwkToPem } from "../jwk/signing-key";
import { BadUse, writeAtomically, writePrivate } from "./files";
import {
	checkPrivate,
	parseJwks,
	publicHalf,
	publishedHalf,
	thumbprint,
} from "./named-jwk";

/** Names of the files of a key, by what they hold. */
export const KEY_FILES = {
	private: "private-jwk.json",
	public: "public-jwk.json",
	set: "public-jwks.json",
	pem: "public.pem",
};

/**
 * Writes the files of a key: private JWK (mode 0600), public JWK, JWK Set of it, public PEM.
 *
 * @param jwk a private JWK
 * @param folder made when it is not there
 * @param force whether files that are there may be overwritten
 * @returns the paths
 * @throws {BadUse} before anything is written when one of them is there, or the private JWK is a symbolic link
 */
export function writeKeyFiles(
	jwk: JWK,
	folder: string,
	force: boolean,
): typeof KEY_FILES {
	const path = (name: string) => join(folder, name);
	const there = Object.values(KEY_FILES).filter((n) => existsSync(path(n)));
	if (there[0] && !force)
		throw new BadUse(`${path(there[0])} is there; --force overwrites it`);
	try {
		mkdirSync(folder, { recursive: true });
	} catch (error) {
		throw new BadUse(`${folder} cannot be made: ${errorCode(error)}`);
	}
	const { jwk: publicJwk } = publishedHalf(jwk, "the key");
	const { private: privateFile, public: publicFile, set, pem } = KEY_FILES;
	// One line fits an environment file.
	writePrivate(path(privateFile), `${JSON.stringify(jwk)}\n`);
	writeAtomically(path(publicFile), json(publicJwk), 0o644);
	writeAtomically(path(set), json({ keys: [publicJwk] }), 0o644);
	writeAtomically(path(pem), toPem(publicJwk), 0o644);
	return {
		private: path(privateFile),
		public: path(publicFile),
		set: path(set),
		pem: path(pem),
	};
}

/** JSON as this tool writes it. */
export function json(value: object): string {
	return `${JSON.stringify(value, null, 2)}\n`;
}

/** The keys of files, each with what to call it. */
function readKeys(files: string[]): { jwk: JWK; file: string; what: string }[] {
	return files.flatMap((file) => {
		const keys = parseJwks(readInput(file), file);
		return keys.map((jwk) => ({
			jwk,
			file,
			what: keys.length > 1 ? `${file}: ${nameOf(jwk)}` : file,
		}));
	});
}

/**
 * The JWK Set of the public halves of keys, and what backends may choke on in it.
 *
 * @param files JWKs and JWK Sets, private or public; `-` is standard input
 * @throws {BadUse} naming the file and the member at fault, and for a `kid` that two keys have
 */
export function publicSet(files: string[]): {
	set: { keys: JWK[] };
	warnings: string[];
} {
	const published = readKeys(files).map(({ jwk, what }) => {
		const half = publishedHalf(jwk, what);
		if (isPrivate(jwk)) checkPrivate(jwk, what);
		const warnings = half.warnings.map((text) => `${what}: ${text}`);
		return { jwk: half.jwk, warnings };
	});
	const keys = published.map(({ jwk }) => jwk);
	const kids = keys.map(({ kid }) => kid);
	const twice = kids.find((kid, index) => kids.indexOf(kid) !== index);
	if (twice !== undefined)
		throw new BadUse(
			`two keys have the kid ${quoted(twice)}: verifiers could not tell them apart`,
		);
	return {
		set: { keys },
		warnings: published.flatMap(({ warnings }) => warnings),
	};
}

/** The one JWK of a file. */
export function readKey(file: string): JWK {
	const keys = readKeys([file]);
	if (!keys[0] || keys[1])
		throw new BadUse(
			`${file}: a JWK Set of ${keys.length}; one JWK is expected`,
		);
	return keys[0].jwk;
}

/**
 * A key as PEM.
 *
 * @param file a JWK; `-` is standard input
 * @param wantPrivate the private key (PKCS #8) instead of the public one (SPKI)
 * @throws {BadUse} naming the file and the member at fault
 */
export function keyPem(file: string, wantPrivate: boolean): string {
	const jwk = readKey(file);
	const half = publicHalf(jwk, file);
	if (isPrivate(jwk)) checkPrivate(jwk, file);
	if (!wantPrivate) return toPem(half);
	if (!isPrivate(jwk)) throw new BadUse(`${file}: not a private JWK`);
	return privateJwkToPem({ ...jwk });
}

function toPem(publicJwk: JWK): string {
	return createPublicKey({ key: { ...publicJwk }, format: "jwk" })
		.export({ type: "spki", format: "pem" })
		.toString();
}

/** A key's JWK Thumbprint (RFC 7638, SHA-256). */
export interface Thumbprint {
	file: string;
	kid: string | undefined;
	thumbprint: string;
}

/**
 * The thumbprints of keys.
 *
 * @param files JWKs and JWK Sets, private or public; `-` is standard input
 * @throws {BadUse} also for a symmetric key: the hash of a secret helps to guess it (RFC 7638 §7)
 */
export async function thumbprints(files: string[]): Promise<Thumbprint[]> {
	return Promise.all(
		readKeys(files).map(async ({ jwk, file, what }) => ({
			file,
			kid: jwk.kid,
			thumbprint: await thumbprint(jwk, what),
		})),
	);
}
