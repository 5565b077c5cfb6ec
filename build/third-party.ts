/** Whose packages are in a bundle, on which terms. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { packageRoot } from "../schema/package-root";

/** A package of which something is in a bundle. */
export interface Package {
	name: string;
	version: string;
	/** SPDX expression, as its package.json has it. */
	license: string;
	/** What it says about its licence and copyright: the texts of its files. */
	texts: string[];
}

/** Files in a package that its licence demands to be handed on with it. */
const LEGAL_FILE = /^(licen[cs]e|notice|copying|copyright)/i;

/** The folder of the package that a file is in, or `undefined` for a file of ours. */
function packageFolder(file: string): string | undefined {
	return /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

function readPackage(folder: string): Package {
	const path = join(packageRoot(), folder);
	const { name, version, license } = JSON.parse(
		readFileSync(join(path, "package.json"), "utf8"),
	);
	const texts = readdirSync(path)
		.filter((file) => LEGAL_FILE.test(file))
		.sort()
		.map((file) => readFileSync(join(path, file), "utf8").trim());
	if (typeof license !== "string" || texts.length === 0)
		throw new Error(`${folder} says no licence, or has no text of it`);
	return { name, version, license, texts };
}

/**
 * Lists the packages that bundles really hold: of which at least one octet is in an output.
 *
 * @param metafiles esbuild's accounts, with paths relative to the package's folder
 * @returns each once, however many copies of it are installed, in the order of their names
 * @throws when a package names no licence or brings no text of it: it must not be handed on then
 */
export function packagesIn(metafiles: Metafile[]): Package[] {
	const packages = new Map<string, Package>();
	for (const { inputs } of metafiles.flatMap(({ outputs }) =>
		Object.values(outputs),
	))
		for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
			const folder = bytesInOutput > 0 ? packageFolder(file) : undefined;
			if (folder === undefined) continue;
			const found = readPackage(folder);
			packages.set(`${found.name}@${found.version}`, found);
		}
	return [...packages]
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([, one]) => one);
}

/**
 * The licence texts of packages, each once, under the names of those it is of.
 *
 * @param packages as {@link packagesIn} lists them
 */
export function licenseTexts(packages: Package[]): string {
	const namesOf = new Map<string, string[]>();
	for (const { name, version, license, texts } of packages) {
		const text = texts.join("\n\n").replaceAll("\r\n", "\n");
		namesOf.set(text, [
			...(namesOf.get(text) ?? []),
			`${name} ${version} (${license})`,
		]);
	}
	return [...namesOf]
		.map(([text, names]) => `${names.join(", ")}\n\n${text}\n`)
		.join(`\n${"-".repeat(80)}\n\n`);
}

/** The licence texts as a comment, for the end of a bundle of JavaScript; empty without packages. */
export function licenseComment(packages: Package[]): string {
	if (packages.length === 0) return "";
	return `Packages of others in this file, and their licences:\n\n${licenseTexts(packages)}`
		.split("\n")
		.map((line) => `// ${line}`.trimEnd())
		.join("\n");
}
