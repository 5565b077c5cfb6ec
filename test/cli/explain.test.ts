import { properties } from "../../schema/kong";
import { anchors, pages } from "../docs/pages";
import { run } from "../support/cli";

const explain = (...args: string[]) => run(["config", "explain", ...args]);

test("a field has its meaning, type, default, choices, example and page", async () => {
	expect(await explain("unauthenticated")).toEqual({
		code: 0,
		stderr: "",
		stdout: `unauthenticated
${properties.find(([name]) => name === "unauthenticated")?.[1].description}

type:     string
default:  refuse
choices:  refuse, pass, anonymous
example:  unauthenticated: pass
page:     docs/configuration.md#who-the-client-is
`,
	});
	const { stdout } = await explain("private_jwk");
	expect(stdout).toContain("type:     string, encrypted; may be a vault");
	expect(stdout).toContain("default:  none; the field is required\n");
	expect((await explain("key_id")).stdout).toContain("default:  none\n");
});

test("without a field, all are listed", async () => {
	const { stdout } = await explain();
	for (const [name, { description }] of properties)
		expect(stdout).toContain(`${name}\n    ${description}\n`);
});

test("--json has the same for scripts, and each page is there", async () => {
	const all = JSON.parse((await explain("--json")).stdout);
	expect(all).toHaveLength(properties.length);
	const [name = ""] = properties[0] ?? [];
	const one = JSON.parse((await explain(name, "--json")).stdout);
	expect(one).toEqual(all[0]);
	for (const { page } of all) {
		const [path = "", anchor] = page.split("#");
		const there = pages().find((one) => one.path === path);
		expect(there && anchors(there)).toContain(anchor);
	}
});

test.each([
	["auth_method", "Did you mean auth_methods?"],
	["colour", "`x-custom-jwt config explain` lists the fields."],
])("%s is not a field", async (name, said) => {
	expect(await explain(name)).toMatchObject({
		code: 2,
		stdout: "",
		stderr: expect.stringContaining(said),
	});
});
