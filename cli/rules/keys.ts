/** Whether the key that signs is in the JWK Set at `jku`. */
import { quoted } from "../../jwk/printable";
import { nameOf } from "../../jwk/public-members";
import { atField, type Found } from "./rule";
import {
	type Check,
	type CheckedEntry,
	type CheckedSet,
	thumbprintOf,
} from "./subjects";

const PUBLISH =
	"Publish its public half, which `x-custom-jwt keys public` prints.";

/** The set that an entry's `jku` leads to, when its keys can be read. */
function setOf(
	{ jwks }: CheckedEntry,
	{ sets }: Check,
): CheckedSet | undefined {
	return byBody(sets).get(jwks.served?.body);
}

const known = new WeakMap<CheckedSet[], Map<unknown, CheckedSet>>();

function byBody(sets: CheckedSet[]): Map<unknown, CheckedSet> {
	const found =
		known.get(sets) ??
		new Map(
			sets.filter(({ keys }) => keys).map((set) => [set.served.body, set]),
		);
	known.set(sets, found);
	return found;
}

/** An entry whose key can be compared with those of the set. */
function compared(checked: CheckedEntry, check: Check) {
	const set = setOf(checked, check);
	const { signing } = checked;
	if (!set?.keys || !signing || signing.jwk.kty === "oct") return undefined;
	const thumbprint = thumbprintOf(signing.jwk);
	const { kid } = signing;
	return {
		...signing,
		what: set.what,
		sameKey:
			thumbprint === undefined ? undefined : set.byThumbprint.get(thumbprint),
		/** Those of its `kid`. */
		sameKid: set.keys.filter((key) => kid !== undefined && key.kid === kid),
		isSame: (key: Parameters<typeof thumbprintOf>[0]) =>
			thumbprintOf(key) === thumbprint,
	};
}

export function keyNotCompared(checked: CheckedEntry, check: Check): Found[] {
	const set = setOf(checked, check);
	return set && checked.asides.get("private_jwk") === "hidden-key"
		? [
				atField(checked.entry, "private_jwk", {
					message: `whether ${set.what} has its key was not checked`,
					cure: "With --env, a key in an environment variable is checked.",
				}),
			]
		: [];
}

export function symmetricKey(checked: CheckedEntry, check: Check): Found[] {
	const { entry, signing } = checked;
	return signing?.jwk.kty === "oct" && setOf(checked, check)
		? [
				atField(entry, "private_jwk", {
					message: `${signing.alg} is symmetric: backends need the secret itself, and the JWK Set cannot verify its tokens`,
					cure: "Use an asymmetric key, unless backends share the secret: `x-custom-jwt keys generate`.",
				}),
			]
		: [];
}

export function keyNotPublished(checked: CheckedEntry, check: Check): Found[] {
	const one = compared(checked, check);
	if (!one || one.kid !== undefined || one.sameKey) return [];
	return [
		atField(checked.entry, "private_jwk", {
			message: `its public half is not in ${one.what}`,
			cure: PUBLISH,
		}),
	];
}

export function kidNotPublished(checked: CheckedEntry, check: Check): Found[] {
	const one = compared(checked, check);
	if (!one || one.kid === undefined || one.sameKid.length) return [];
	return [
		atField(checked.entry, "private_jwk", {
			message: `its kid ${quoted(one.kid)} is not in ${one.what}, so backends reject its tokens`,
			cure: one.sameKey
				? `Its public half is ${nameOf(one.sameKey)} there: give both the same kid.`
				: PUBLISH,
		}),
	];
}

export function otherKeyPublished(
	checked: CheckedEntry,
	check: Check,
): Found[] {
	const one = compared(checked, check);
	const [first] = one?.sameKid ?? [];
	if (!one || !first || one.isSame(first)) return [];
	return [
		atField(checked.entry, "private_jwk", {
			message: `${nameOf(first)} in ${one.what} is another key than the one that signs, so backends reject its tokens`,
			cure: PUBLISH,
		}),
	];
}

export function algorithmDiffers(checked: CheckedEntry, check: Check): Found[] {
	const one = compared(checked, check);
	const [first] = one?.sameKid ?? [];
	if (!one || !first || !one.isSame(first)) return [];
	if (first.alg === undefined || first.alg === one.alg) return [];
	return [
		atField(checked.entry, "private_jwk", {
			message: `it signs with ${one.alg}, but ${nameOf(first)} in ${one.what} is for ${quoted(first.alg)}`,
			cure: `Set alg of the published key to ${one.alg}, or remove algorithm.`,
		}),
	];
}
