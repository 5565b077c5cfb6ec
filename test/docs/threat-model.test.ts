/** The tests that `docs/threat-model.md` names hold what it promises: they are there under these names. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../schema/package-root";

const read = (path: string) => readFileSync(join(packageRoot(), path), "utf8");

/** The page, whose lines break anywhere, as one line. */
const page = read("docs/threat-model.md").replace(/\s+/g, " ");

const named = [...page.matchAll(/`(test\/[\w./-]+)` "([^"]+)"/g)].map(
	([, file = "", title = ""]) => ({ file, title }),
);

test("names tests", () => {
	expect(named.length).toBeGreaterThan(30);
});

test.each(named)("$file has the test “$title”", ({ file, title }) => {
	expect(existsSync(join(packageRoot(), file))).toBe(true);
	expect(read(file)).toContain(title);
});
