/** The three steps of a rotation; what each may do when is in rotation-rules.ts. */
import type { JWK } from "jose";
import {
	type Configuration,
	configOf,
	type PluginEntry,
} from "../declarative/model";
import type { Edit } from "../declarative/text";
import { generateKey } from "../jwk/generate";
import { isPrivate, USES, type Use } from "../jwk/members";
import { nameOf, ROTATION_MARKS } from "../jwk/public-members";
import { when } from "../jwk/time";
import { BadUse } from "./files";
import { checkPrivate, publishedHalf, thumbprint } from "./named-jwk";
import { copiesOf, dropPrivate, signWith } from "./rotation-edits";
import {
	entriesOf,
	inVault,
	lifetime,
	markedSetsOf,
	type PublishedSet,
	type Selection,
	select,
	setsOf,
	signerOf,
	signingOrBadUse,
	signsOn,
	targetOf,
	usersOf,
} from "./rotation-entries";
import {
	activationTime,
	type Delays,
	isWaiting,
	mayActivate,
	mayHaveOldMarks,
	mayRetire,
	type PublishedJwk,
	retirementTime,
} from "./rotation-rules";

const { published, activated, retirable } = ROTATION_MARKS;

/** What a step did, or why it did not. */
export interface Outcome {
	done: boolean;
	message: string;
	/** What else the user has to do or to know. */
	notes: string[];
	/** When the step, or the next one, is allowed: seconds since the epoch. */
	allowedAt?: number;
	edits: Edit[];
}

/**
 * Publishes a key: its public half joins the JWK Sets of the selected entries. Nothing else changes.
 *
 * @param key the new key, private or public
 * @param now seconds since the epoch
 * @throws {BadUse} when the configuration or the key cannot be used
 */
export async function publish(
	configuration: Configuration,
	selection: Selection,
	key: JWK,
	delays: Delays,
	now: number,
): Promise<Outcome> {
	if (isPrivate(key)) checkPrivate(key, "the new key");
	const entries = select(configuration, selection);
	const { jwk: half, warnings } = publishedHalf(
		key,
		"the new key",
		algorithmOf(entries),
	);
	if (half.kid === undefined)
		throw new BadUse("the new key has no kid: verifiers could not find it");
	const wanted = await thumbprint(key, "the new key");
	const edits: Edit[] = [];
	for (const set of await markedSetsOf(configuration, entries, selection)) {
		if (set.keys.some(({ id }) => id === wanted)) continue;
		if (set.keys.some(({ jwk }) => jwk.kid === half.kid))
			throw new BadUse(
				`${set.what} has another ${nameOf(half)}: give the new key a kid of its own`,
			);
		// Its marks are those of an earlier rotation.
		const {
			[activated]: _,
			[retirable]: __,
			...unmarked
		} = half as PublishedJwk;
		const added = { ...unmarked, [published]: Math.ceil(now) };
		edits.push(set.edit([...set.keys.map(({ jwk }) => jwk), added]));
	}
	if (!edits.length) return no(`${nameOf(half)} is published already`);
	const allowedAt = activationTime(now, delays);
	const at = when(allowedAt, now);
	return {
		done: true,
		message: `${nameOf(half)} joins the JWK Set; signing is unchanged`,
		notes: [
			...warnings.map((text) => `warning: the new key: ${text}`),
			DEPLOY,
			entries.some(inVault)
				? `next step: put the private key into the vault ${at} or later, and activate when every data plane has it`
				: `next step: activate, ${at} or later`,
		],
		allowedAt,
		edits,
	};
}

/** The `algorithm` that all of the entries replace a key's own by, if they do. */
function algorithmOf(entries: PluginEntry[]): string | undefined {
	const [first, ...others] = new Set(
		entries.map((entry) => configOf(entry).algorithm),
	);
	return typeof first === "string" && !others.length ? first : undefined;
}

/**
 * Generates the new key: what nobody says of it is as with the key that signs now.
 *
 * @throws {BadUse} when that key is not to be seen and the published ones have no `alg`
 */
export async function generateLike(
	configuration: Configuration,
	options: Selection & { alg?: string; use?: Use },
): Promise<JWK> {
	const now = await currentKey(configuration, options);
	const alg = options.alg ?? now.alg;
	if (!alg)
		throw new BadUse("the key that signs now has no alg: give one with --alg");
	const use = options.use ?? USES.find((name) => name === now.use);
	return generateKey(alg, { use });
}

/** What the key that signs now is for; where a vault holds it, the first that is published. */
async function currentKey(
	configuration: Configuration,
	selection: Selection,
): Promise<{ alg?: string; use?: string }> {
	const entries = select(configuration, selection);
	for (const entry of entries) {
		const signing = signingOrBadUse(entry);
		if (signing.reference === undefined)
			return { alg: signing.alg, use: signing.jwk.use };
	}
	const [set] = await setsOf(configuration, entries);
	return set?.keys[0]?.jwk ?? {};
}

const DEPLOY = "deploy it now: the times count from now";

/** What `activate` may be told. */
export interface ActivateOptions extends Delays {
	/** The new key; needed, private, when the configuration holds the key itself. */
	key?: JWK;
	/** `kid` of the key that signs now; found out where the configuration holds the key. */
	replaces?: string;
	/** Whether to go on although backends may not have the key yet. */
	force: boolean;
}

/**
 * Activates a published key: it signs from now on. Where a vault holds the private key this records that
 * it does, and so when the old one may leave.
 *
 * @throws {BadUse} when the configuration or the key cannot be used
 */
export async function activate(
	configuration: Configuration,
	selection: Selection,
	options: ActivateOptions,
	now: number,
): Promise<Outcome> {
	const { key, cacheMaxAge, margin, force } = options;
	const entries = select(configuration, selection);
	const sets = await markedSetsOf(configuration, entries, selection);
	const target = await targetOf(sets, key);
	if (!target)
		return no(
			key
				? `${nameOf(key)} is not in the JWK Set: publish it first`
				: `no key in the JWK Set waits to be activated: publish one first${oldMarksHint(sets)}`,
		);
	const name = nameOf(target.jwk);
	const old = await signerOf(entries, sets, target, options.replaces);
	if (old.id === target.id) return no(`${name} is the one that signs already`);
	const permission = mayActivate(target.jwk, options, now);
	if (!permission.allowed && !force) {
		const { allowedAt } = permission;
		if (allowedAt === undefined)
			return no(
				`${name} does not say since when it is published: --force when all backends have it${oldMarksHint(sets)}`,
			);
		return {
			...no(
				`${name} was published ${when(target.jwk[published] ?? 0, now)}, and it takes ${cacheMaxAge + margin} seconds until all backends have it: activate is allowed ${when(allowedAt, now)}`,
			),
			allowedAt,
		};
	}

	const edits = await signWith(configuration, entries, target.jwk, key);
	const users = await usersOf(configuration, selection, old.id);
	const others = users.filter((entry) => !entries.includes(entry));
	// Of all entries: one that has been activated before may have signed with the old key until then.
	const lifetimes = entriesOf(configuration, selection).map(lifetime);
	const mayLeave = retirementTime(now, lifetimes, options);
	for (const set of sets)
		edits.push(
			set.edit(
				set.keys.map(({ jwk, id }) => {
					const { [retirable]: _, ...kept } = jwk;
					if (id === target.id) return { ...kept, [activated]: Math.ceil(now) };
					return id === old.id && !others.length
						? { ...jwk, [retirable]: mayLeave }
						: jwk;
				}),
			),
		);
	const recordOnly = entries.some(inVault);
	return {
		done: true,
		message: recordOnly
			? `recorded: every data plane signs with ${name} from the vault`
			: `${name} signs`,
		notes: [
			...(recordOnly
				? [
						`if a data plane still signs with ${nameOf(old.jwk)}, take this edit back and activate when none does`,
					]
				: [DEPLOY]),
			...(await copiesOf(configuration, old.id)).map(
				({ file, line, column }) =>
					`${file}:${line}:${column} is the public key of ${nameOf(old.jwk)} as PEM: there, put the new one (keys pem)`,
			),
			others.length
				? `${nameOf(old.jwk)} stays: ${others.map(({ scope }) => scope).join(", ")} signs with it`
				: `next step: retire, ${when(mayLeave, now)} or later`,
		],
		...(others.length === 0 && { allowedAt: mayLeave }),
		edits,
	};
}

/**
 * Retires replaced keys: they leave the JWK Sets when all tokens they signed have expired. The only key of a
 * set, and the key that signs, never leave.
 *
 * @param force whether they may leave earlier, as a stolen key must
 * @throws {BadUse} when the configuration cannot be used
 */
export async function retire(
	configuration: Configuration,
	selection: Selection,
	force: boolean,
	now: number,
): Promise<Outcome> {
	const entries = select(configuration, selection);
	const sets = await markedSetsOf(configuration, entries, selection);
	const edits: Edit[] = [];
	const leaving = new Map<string, JWK>();
	let allowedAt: number | undefined;
	for (const { keys, edit, what } of sets) {
		const stay: PublishedJwk[] = [];
		let signs = false;
		for (const { jwk, id } of keys) {
			const at = jwk[retirable];
			const [user] = await signsOn(configuration, selection, { jwk, id });
			if (at === undefined || !(mayRetire(jwk, now).allowed || force)) {
				stay.push(jwk);
				signs ||= Boolean(user) || (at === undefined && !isWaiting(jwk));
				if (at !== undefined) allowedAt = Math.min(at, allowedAt ?? at);
				continue;
			}
			if (user) return no(`${nameOf(jwk)} still signs on ${user.scope}`);
			leaving.set(id, jwk);
		}
		if (stay.length === keys.length) continue;
		if (!stay.length)
			return no(`${what} would be empty: no backend could verify a token`);
		if (!signs)
			return no(
				`no key that signs would stay in ${what}: activate the new key first`,
			);
		edits.push(edit(stay));
	}
	if (!leaving.size)
		return allowedAt === undefined
			? no(
					`no key waits to be retired: activate marks the one it replaces${oldMarksHint(sets)}`,
				)
			: {
					...no(
						`tokens of the replaced key may still be in use: retire is allowed ${when(allowedAt, now)}`,
					),
					allowedAt,
				};
	edits.push(...(await dropPrivate(entries, leaving)));
	return {
		done: true,
		message: `${[...leaving.values()].map(nameOf).join(", ")} leaves the JWK Set`,
		notes: ["deploy it; then destroy the private key"],
		edits,
	};
}

/** What to add to a message when marks are missing, but version 0.2.0 may have written some. */
function oldMarksHint(sets: PublishedSet[]): string {
	return sets.some(({ keys }) => keys.some(({ jwk }) => mayHaveOldMarks(jwk)))
		? "; iat, nbf and exp of a key are read as marks only with --old-marks, for a rotation that version 0.2.0 began"
		: "";
}

function no(message: string): Outcome {
	return { done: false, message, notes: [], edits: [] };
}
