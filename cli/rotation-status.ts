/** Where a rotation stands: it reads what the steps have written, and changes nothing. */
import type { Configuration } from "../declarative/model";
import { quoted } from "../jwk/printable";
import { ROTATION_MARKS } from "../jwk/public-members";
import { iso, when } from "../jwk/time";
import {
	inVault,
	markedSetsOf,
	type Selection,
	select,
	signsOn,
} from "./rotation-entries";
import {
	type Delays,
	isWaiting,
	mayActivate,
	mayHaveOldMarks,
	type PublishedJwk,
} from "./rotation-rules";

const { retirable } = ROTATION_MARKS;

/** What a published key does. */
export type KeyState =
	/** A plugin entry in the files signs with it, or the marks say so. */
	| "signs"
	/** It is published and does not sign yet. */
	| "waits"
	/** Another key has replaced it. */
	| "replaced"
	/** The files do not show whether it signs. */
	| "unknown";

/** A published key and where it stands; points in time as ISO 8601. */
export interface KeyStatus {
	set: string;
	kid: string | null;
	state: KeyState;
	published?: string;
	activated?: string;
	retirable?: string;
}

/** Where a rotation stands. */
export interface RotationStatus {
	keys: KeyStatus[];
	/** The step that comes next. */
	next: {
		step: "publish" | "activate" | "retire";
		/** Whether it is allowed now. */
		allowed: boolean;
		/** When it is allowed; absent when it is allowed at any time, or the files do not show it. */
		allowedAt?: string;
	};
	notes: string[];
}

/**
 * Reads where the rotation of the selected entries stands.
 *
 * @param now seconds since the epoch
 * @throws {BadUse} when the configuration cannot be used
 */
export async function rotationStatus(
	configuration: Configuration,
	selection: Selection,
	delays: Delays,
	now: number,
): Promise<RotationStatus> {
	const entries = select(configuration, selection);
	const sets = await markedSetsOf(configuration, entries, selection);
	const keys: KeyStatus[] = [];
	const notes: string[] = [];
	const activateAt: number[] = [];
	const retireAt: number[] = [];
	for (const set of sets) {
		const signers = new Set<string>();
		for (const key of set.keys) {
			const users = await signsOn(configuration, selection, key);
			if (users.length) signers.add(key.id);
		}
		// Where a vault holds the key, only the marks show which key signs.
		const unmarked = set.keys.filter(
			({ jwk }) => !isWaiting(jwk) && jwk[retirable] === undefined,
		);
		if (!signers.size && unmarked.length === 1 && entries.some(inVault))
			for (const { id } of unmarked) signers.add(id);
		if (!signers.size)
			notes.push(`the files do not show which key of ${set.what} signs`);
		for (const { jwk, id } of set.keys) {
			const state = stateOf(jwk, signers.has(id));
			keys.push({ set: set.what, kid: jwk.kid ?? null, state, ...times(jwk) });
			if (state === "waits") {
				const permission = mayActivate(jwk, delays, now);
				activateAt.push(
					permission.allowed ? now : (permission.allowedAt ?? now),
				);
			}
			const at = jwk[retirable];
			if (state === "replaced" && at !== undefined) retireAt.push(at);
			if (state === "signs" && at !== undefined)
				notes.push(
					`key ${quoted(jwk.kid)} is marked as replaced, but it signs: retire will not remove it`,
				);
		}
		if (set.keys.some(({ jwk }) => mayHaveOldMarks(jwk)))
			notes.push(
				`iat, nbf and exp in ${set.what} are read as marks only with --old-marks, for a rotation that version 0.2.0 began`,
			);
	}
	return { keys, next: nextStep(activateAt, retireAt, now), notes };
}

function stateOf(jwk: PublishedJwk, signs: boolean): KeyState {
	if (signs) return "signs";
	if (isWaiting(jwk)) return "waits";
	return jwk[retirable] === undefined ? "unknown" : "replaced";
}

function times(jwk: PublishedJwk) {
	const at = (name: "published" | "activated" | "retirable") => {
		const time = jwk[ROTATION_MARKS[name]];
		return time === undefined ? {} : { [name]: iso(time) };
	};
	return { ...at("published"), ...at("activated"), ...at("retirable") };
}

/** A key that waits must be activated everywhere, so its latest time counts; one replaced key may leave alone. */
function nextStep(
	activateAt: number[],
	retireAt: number[],
	now: number,
): RotationStatus["next"] {
	if (activateAt.length) return step("activate", Math.max(...activateAt), now);
	if (retireAt.length) return step("retire", Math.min(...retireAt), now);
	return { step: "publish", allowed: true };
}

function step(
	name: "activate" | "retire",
	at: number,
	now: number,
): RotationStatus["next"] {
	return { step: name, allowed: at <= now, allowedAt: iso(at) };
}

/** A status for a terminal. */
export function inWords(
	{ keys, next, notes }: RotationStatus,
	now: number,
): string {
	const since = (text: string | undefined) =>
		text === undefined ? "" : ` ${when(Date.parse(text) / 1000, now)}`;
	const lines = keys.map((key) => {
		const name = key.kid === null ? "the key without kid" : quoted(key.kid);
		const words = {
			signs: key.activated
				? `signs, activated${since(key.activated)}`
				: "signs",
			waits: `waits to be activated, published${since(key.published)}`,
			replaced: `is replaced, may be retired${since(key.retirable)}`,
			unknown: "is published; the files do not show whether it signs",
		};
		return `${key.set}: ${name} ${words[key.state]}`;
	});
	const nextLine =
		next.step === "publish"
			? "no rotation is under way; publish begins one"
			: `next step: ${next.step}, ${next.allowed ? "now" : `${when(Date.parse(next.allowedAt ?? "") / 1000, now)} or later`}`;
	return [...lines, ...notes.map((note) => `- ${note}`), nextLine].join("\n");
}
