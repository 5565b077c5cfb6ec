import type { Node } from "yaml";
import { fieldNode, type PluginEntry } from "../../declarative/model";
import type { SourceFile } from "../../declarative/text";
import type { Check } from "./subjects";

/**
 * How much a finding matters. `error`: Kong rejects the file, requests or verifications fail, or tokens can be forged.
 * `warning`: this is probably not what was meant. `note`: it was not checked, or is good to know.
 */
export type Severity = "error" | "warning" | "note";

/** One thing that a rule found. */
export interface Found {
	file: SourceFile;
	/** The character of the file at which it stands. */
	offset: number;
	/** What is wrong, in one sentence, without any value that may be secret. */
	message: string;
	/** What to do about it. */
	cure: string;
}

/** A kind of finding. */
export interface Rule {
	/** The name of the rule, which stays the same between versions. */
	id: string;
	severity: Severity;
	/** What the rule reports, in one sentence. */
	text: string;
	find(check: Check): Found[] | Promise<Found[]>;
}

/** What a rule says about one place; the place follows from what it looked at. */
export interface Said {
	message: string;
	cure: string;
}

/** A finding at a node of a file. */
export function at(
	file: SourceFile,
	node: Node | null | undefined,
	said: Said,
): Found {
	return { file, offset: node?.range?.[0] ?? 0, ...said };
}

/** A finding at a field of a plugin entry, or at the entry when it does not have the field. */
export function atField(entry: PluginEntry, field: string, said: Said): Found {
	return at(entry.file, fieldNode(entry, field) ?? entry.map, {
		...said,
		message: `${entry.name} on ${entry.scope}: ${said.message}`,
	});
}
