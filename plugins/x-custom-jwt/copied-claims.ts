import type { JWTPayload } from "jose";
import type { ConfigFields } from "../../schema/fields";
import type { ClaimTemplates } from "./claim-templates";
import { fold } from "./fold";
import { requireExact } from "./incoming-token";

/** Claims that every token has of its own, and `nbf`. */
const OWN = ["client_id", "iss", "aud", "iat", "exp", "nbf", "jti"];

/** Claims that describe the incoming token, who may present it, or the request that it came with. */
const OF_INCOMING_TOKEN = [
	"cnf",
	"at_hash",
	"c_hash",
	"s_hash",
	"nonce",
	"htm",
	"htu",
	"ath",
	"content_digest",
];

/** Names that change an object instead of being members of it, in backends written in JavaScript. */
const OF_PROTOTYPES = ["__proto__", "constructor", "prototype"];

/** Names that are copied exactly as they are, and in no other spelling. */
const EXACT = ["sub", "act"];

/** Names that backends read within `act`, and that no other name there may imitate. */
const OF_ACTORS = [...OWN, ...OF_INCOMING_TOKEN, ...EXACT];

const NEVER_COPIED = folds([...OWN, ...OF_INCOMING_TOKEN, ...OF_PROTOTYPES]);
const EXACT_FOLDS = folds(EXACT);
const ACTOR_FOLDS = folds([...OF_ACTORS, ...OF_PROTOTYPES]);

/** What of a configuration decides which claims are copied. */
type CopyConfig = Pick<ConfigFields, "keep_claims" | "remove_claims"> & {
	templates: Pick<ClaimTemplates, "added" | "set" | "folds">;
};

/**
 * The claims of an incoming token that are copied into the new one. Never those that the new token has of
 * its own or that describe the incoming one, and none that a backend which reads names without regard to
 * case could take for another.
 *
 * @throws {Refusal} when one of them cannot be signed as it is
 */
export function copiedClaims(
	{ keep_claims, remove_claims = [], templates }: CopyConfig,
	tokenClaims: JWTPayload,
): Map<string, unknown> {
	const wanted = Object.entries(tokenClaims).filter(
		([claim]) =>
			(keep_claims?.includes(claim) ?? true) &&
			!remove_claims.includes(claim) &&
			isCopied(claim, templates),
	);
	const copied = withoutDoubles(wanted);
	for (const [, value] of copied) requireExact(value);
	return new Map(
		copied.map(([claim, value]) => [
			claim,
			claim === "act" ? actorsOf(value) : value,
		]),
	);
}

/** The folds of names, as `fold` makes them. */
export function folds(names: readonly string[]): ReadonlySet<string> {
	return new Set(names.map((name) => fold(name) ?? name));
}

function isCopied(claim: string, templates: CopyConfig["templates"]): boolean {
	const folded = fold(claim);
	if (folded === undefined || NEVER_COPIED.has(folded)) return false;
	if (EXACT_FOLDS.has(folded)) return EXACT.includes(claim);
	return (
		!templates.folds.has(folded) ||
		[...templates.added, ...templates.set].some((one) => one.claim === claim)
	);
}

/** Without the names that have equal folds: which of them a backend reads nobody can know. */
function withoutDoubles<Value>(entries: [string, Value][]): [string, Value][] {
	const counts = new Map<string | undefined, number>();
	for (const [name] of entries) {
		const folded = fold(name);
		counts.set(folded, (counts.get(folded) ?? 0) + 1);
	}
	return counts.size === entries.length
		? entries
		: entries.filter(([name]) => counts.get(fold(name)) === 1);
}

/** The actors of an incoming token, without names that imitate another, however deep. */
function actorsOf(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(actorsOf);
	if (typeof value !== "object" || value === null) return value;
	const members = Object.entries(value).filter(([name]) => {
		const folded = fold(name);
		if (folded === undefined) return false;
		return !ACTOR_FOLDS.has(folded) || OF_ACTORS.includes(name);
	});
	return Object.fromEntries(
		withoutDoubles(members).map(([name, member]) => [name, actorsOf(member)]),
	);
}
