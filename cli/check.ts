import type { Configuration } from "../declarative/model";
import { type Position, positionAt } from "../declarative/text";
import type { Found, Rule, Severity } from "./rules/rule";
import { type CheckOptions, subjectsOf } from "./rules/subjects";
import { RULES } from "./rules/table";
import { type SourceLine, sourceLine } from "./source-line";

/** One thing worth knowing about a configuration. */
export interface Finding extends Position {
	/** The rule that found it. */
	id: string;
	severity: Severity;
	/** What is wrong. */
	message: string;
	/** What to do about it. */
	cure: string;
	/** The line of the file, without what may be a secret in it. */
	source: SourceLine;
}

/**
 * Checks every plugin entry of x-custom-jwt and the JWK Sets to which `jku` leads.
 *
 * @returns the findings in the order of their places
 */
export async function checkConfiguration(
	configuration: Configuration,
	options: CheckOptions = {},
): Promise<Finding[]> {
	const check = subjectsOf(configuration, options);
	const findings: Finding[] = [];
	for (const rule of RULES)
		for (const found of await rule.find(check))
			findings.push(findingOf(rule, found));
	const order = new Map(
		configuration.files.map(({ path }, index) => [path, index]),
	);
	const orderOf = ({ file }: Finding) => order.get(file) ?? 0;
	return findings.sort(
		(a, b) => orderOf(a) - orderOf(b) || a.line - b.line || a.column - b.column,
	);
}

function findingOf(
	{ id, severity }: Rule,
	{ file, offset, message, cure }: Found,
): Finding {
	const source = sourceLine(file, offset);
	return { id, severity, ...positionAt(file, offset), message, cure, source };
}
