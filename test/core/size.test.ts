import { parseConfig } from "../../plugins/x-custom-jwt/config";
import { Plugin } from "../../plugins/x-custom-jwt/plugin";
import { checkSize } from "../../plugins/x-custom-jwt/size";
import { asking, type KnownRequest } from "../../support/facts";
import { rawConfig, requests } from "../../support/samples";

const GROUPS = Array.from({ length: 400 }, (_, i) => `group-${i}-of-many`);

/** Of somebody in too many groups. */
const request: KnownRequest = {
	...requests.key,
	shared: { authenticated_groups: GROUPS },
};
const config = { set_claims: { groups: "$(groups)", note: "short" } };

const decide = (plugin: Plugin, of = request) => plugin.decide(asking(of).ask);

describe("a large token", () => {
	test("is signed without a limit, with one warning an instance that names its largest claims", async () => {
		const plugin = new Plugin(rawConfig(config));
		const first = await decide(plugin);
		expect(first.upstreamHeaders).toHaveLength(1);
		const about = (log: typeof first.log) =>
			log.filter(({ message }) => message.includes("max_token_size"));
		expect(about(first.log)).toEqual([
			{
				level: "warn",
				message: expect.stringMatching(
					/^a token of \d{4,5} bytes: .*largest claims: "groups" \(\d{4} bytes\), "iss" \(/,
				),
			},
		]);
		expect(about((await decide(plugin)).log)).toEqual([]);
	});

	test("is no matter of a warning when it is of usual size", async () => {
		const { log } = await decide(new Plugin(rawConfig()), requests.key);
		expect(JSON.stringify(log)).not.toContain("max_token_size");
	});

	test("is refused above max_token_size, also when tokens are reused", async () => {
		const plugin = new Plugin(
			rawConfig({ ...config, max_token_size: 4000, reuse_for: 60 }),
		);
		for (const _ of [1, 2]) {
			const decision = await decide(plugin);
			expect(decision.exit?.status).toBe(500);
			expect(decision.upstreamHeaders).toEqual([]);
			expect(decision.log.at(-1)?.message).toMatch(
				/^the token would have \d+ bytes, more than max_token_size; largest claims: "groups" \(/,
			);
		}
		const { upstreamHeaders } = await decide(plugin, requests.key);
		expect(upstreamHeaders).toHaveLength(1);
	});

	test("may have just as many bytes as max_token_size", () => {
		const limited = parseConfig(rawConfig({ max_token_size: 8000 }));
		expect(checkSize(limited, 8000, {})).toBeUndefined();
		expect(() => checkSize(limited, 8001, {})).toThrow("8001 bytes");
	});

	test("never shows a claim's value, nor a name that a terminal would act on", () => {
		const limited = { max_token_size: 1 };
		const claims = { [`\u001b[2J${"n".repeat(100)}`]: "secret".repeat(9) };
		expect(() => checkSize(limited, 2, claims)).toThrow(
			`largest claims: "\\u001b[2J${"n".repeat(36)}" (56 bytes)`,
		);
	});
});
