import { hash, randomUUID } from "node:crypto";
import { decode } from "jose/base64url";
import type { Platform } from "../../core/platform";
import { quoted } from "../../jwk/printable";
import { readCertificate } from "./certificate";
import { fold } from "./claim-fold";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What becomes of bytes that are no UTF-8: U+FFFD, or half a surrogate pair. */
const BROKEN = /[\uFFFD\p{Surrogate}]/u;

const INVISIBLE = /[\p{C}\s\p{Default_Ignorable_Code_Point}]/u;

/** What the core needs, by Node.js. */
export const nodePlatform: Platform = {
	decodeJson: (text) => JSON.parse(text) as unknown,
	encodeJson: (value) => JSON.stringify(value) ?? "null",
	encodeMembers: (members) => JSON.stringify(Object.fromEntries(members)),
	// Defines members rather than sets them, `__proto__` too.
	object: (members) => Object.fromEntries(members),
	decodeBase64url: (text) => {
		try {
			return UTF8.decode(decode(text));
		} catch {
			return undefined;
		}
	},
	encodeBase64url: (text) => Buffer.from(text).toString("base64url"),
	hash: (text) => hash("sha256", text, "base64url"),
	uuid: randomUUID,
	now: () => Date.now(),
	random: Math.random,
	readCertificate,
	isWellFormed: (text) => !BROKEN.test(text),
	isVisible: (text) => !INVISIBLE.test(text),
	quote: quoted,
	fold,
};
