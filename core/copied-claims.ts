/** Which claims of an incoming token are copied into the new one. */
import type { ConfigFields } from "../schema/fields";
import type { ClaimTemplates } from "./claim-templates";
import { requireExact } from "./incoming-token";
import type { Claims, Platform } from "./platform";
import { hasMembers, type Members } from "./values";

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

/** These names are ASCII, whose fold is upper case. */
const upperCase = (names: string[]) => names.map((name) => name.toUpperCase());

const NEVER_COPIED = upperCase([
	...OWN,
	...OF_INCOMING_TOKEN,
	...OF_PROTOTYPES,
]);
const EXACT_FOLDS = upperCase(EXACT);
const ACTOR_FOLDS = upperCase([...OF_ACTORS, ...OF_PROTOTYPES]);

/** What of a configuration decides which claims are copied. */
type CopyConfig = Pick<ConfigFields, "keep_claims" | "remove_claims"> & {
	templates: Pick<ClaimTemplates, "added" | "set" | "folds">;
	platform: Platform;
};

/**
 * The claims of an incoming token that are copied into the new one. Never those that the new token has of
 * its own or that describe the incoming one, and none that a backend which reads names without regard to
 * case could take for another.
 *
 * @throws {Refusal} when one of them cannot be signed as it is
 */
export function copiedClaims(config: CopyConfig, tokenClaims: Members): Claims {
	const { keep_claims, remove_claims = [], platform } = config;
	if (Object.keys(tokenClaims).length === 0) return [];
	const wanted: Folded[] = [];
	for (const [name, value] of Object.entries(tokenClaims)) {
		const isWanted =
			(keep_claims?.includes(name) ?? true) && !remove_claims.includes(name);
		const fold = isWanted ? platform.fold(name) : undefined;
		if (fold !== undefined && isCopied(name, fold, config))
			wanted.push({ name, fold, value });
	}
	const copied = withoutDoubles(wanted);
	for (const { value } of copied) requireExact(value, platform);
	return copied.map(({ name, value }): Claims[number] => [
		name,
		name === "act" ? actorsOf(value, platform) : value,
	]);
}

interface Folded {
	name: string;
	/** See `Platform.fold`. */
	fold: string;
	value: unknown;
}

function isCopied(
	claim: string,
	fold: string,
	{ templates }: CopyConfig,
): boolean {
	if (NEVER_COPIED.includes(fold)) return false;
	if (EXACT_FOLDS.includes(fold)) return EXACT.includes(claim);
	return (
		!templates.folds.includes(fold) ||
		[...templates.added, ...templates.set].some((one) => one.claim === claim)
	);
}

/** Without the names that have equal folds: which of them a backend reads nobody can know. */
function withoutDoubles(members: Folded[]): Folded[] {
	const counts: Record<string, number> = {};
	const key = ({ fold }: Folded) => `=${fold}`;
	for (const member of members)
		counts[key(member)] = (counts[key(member)] ?? 0) + 1;
	return members.filter((member) => counts[key(member)] === 1);
}

/** The actors of an incoming token, without names that imitate another, however deep. */
function actorsOf(value: unknown, platform: Platform): unknown {
	if (Array.isArray(value) && value.length > 0)
		return value.map((one: unknown) => actorsOf(one, platform));
	// An empty list and an empty object are one in Lua: either stays what it is.
	if (!hasMembers(value) || Object.keys(value).length === 0) return value;
	const members: Folded[] = [];
	for (const [name, member] of Object.entries(value)) {
		const fold = platform.fold(name);
		const isOdd = fold === undefined || ACTOR_FOLDS.includes(fold);
		if (fold !== undefined && (!isOdd || OF_ACTORS.includes(name)))
			members.push({ name, fold, value: member });
	}
	return platform.object(
		withoutDoubles(members).map(({ name, value: member }): Claims[number] => [
			name,
			actorsOf(member, platform),
		]),
	);
}
