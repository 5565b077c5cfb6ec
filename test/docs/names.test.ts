/** What pages name in passing is there: npm's scripts, test files, and the files of CONTRIBUTING.md. */
import { execFileSync } from "node:child_process";
import { basename } from "node:path";
import { scripts } from "../../package.json";
import { packageRoot } from "../../schema/package-root";
import { pages } from "./pages";

const files = execFileSync("git", ["ls-files"], { cwd: packageRoot() })
	.toString()
	.trim()
	.split("\n");

const all = pages().filter(({ path }) => path !== "CHANGELOG.md");

/** What a pattern's group finds on a page. */
function found(text: string, pattern: RegExp): string[] {
	return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

test.each(all.map(({ path, text }) => [path, text]))(
	"%s names scripts and tests that there are",
	(_, text) => {
		const named = found(text, /\bnpm run (?:-s |--silent )?([a-z][\w:-]*)/g);
		expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
		const tests = found(text, /\bnpx jest (test\/[\w./-]+)/g);
		const missing = tests.filter(
			(path) => !files.some((file) => file.startsWith(path)),
		);
		expect(missing).toEqual([]);
	},
);

test("CONTRIBUTING names files that there are, by path or by name", () => {
	const { text = "" } =
		all.find(({ path }) => path === "CONTRIBUTING.md") ?? {};
	const named = found(text, /`([\w./-]+\.(?:ts|lua|md|yml|json))`/g);
	// `NAME.ts` is the one to write.
	const missing = named
		.filter((name) => !name.includes("NAME"))
		.filter(
			(name) => !files.some((file) => [file, basename(file)].includes(name)),
		);
	expect(named.length).toBeGreaterThan(20);
	expect(missing).toEqual([]);
});
