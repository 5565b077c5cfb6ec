import { hash } from "node:crypto";
import {
	importSigningKey,
	type SigningKey,
	type SigningOptions,
} from "./signing-key";

/** Keys in use, by a hash of all that they follow from. */
const keys = new Map<string, WeakRef<SigningKey>>();

const unused = new FinalizationRegistry<string>((id) => {
	// It may have been imported again meanwhile.
	if (!keys.get(id)?.deref()) keys.delete(id);
});

/**
 * `importSigningKey`, once for all who use the same key in the same way: each worker starts each
 * plugin entry, and most of them sign with one key. It is forgotten with the last of its users.
 *
 * @param text see there
 * @param options see there
 * @throws {JwkError} as there, each time
 */
export function sharedSigningKey(
	text: string,
	options: SigningOptions = {},
): SigningKey {
	const members = Object.entries(options).filter(([, value]) => value);
	const id = hash(
		"sha256",
		JSON.stringify([text, ...members.sort()]),
		"base64url",
	);
	const known = keys.get(id)?.deref();
	if (known) return known;
	const key = importSigningKey(text, options);
	keys.set(id, new WeakRef(key));
	unused.register(key, id);
	return key;
}
