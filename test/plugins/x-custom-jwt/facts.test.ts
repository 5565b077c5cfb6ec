import { CONSUMER, CREDENTIAL } from "../../../core/questions";
import { Plugin } from "../../../plugins/x-custom-jwt";
import {
	type Ask,
	AskedFacts,
	EncodedAnswer,
} from "../../../plugins/x-custom-jwt/facts";
import { asking } from "../../support/facts";
import { rawConfig, requests, service } from "../../support/samples";

/** Kong's answers, that about the credential in bytes. */
function encoded(read: () => unknown, request = requests.key): Ask {
	const bytes = Buffer.from(JSON.stringify(request.credential));
	const { ask } = asking(request);
	return async (questions) => {
		const answers = await ask(questions);
		return questions.map(({ about }, index) =>
			about === "credential" ? new EncodedAnswer(bytes, read) : answers[index],
		);
	};
}

test("an answer in bytes is told from others without being read, and read once", async () => {
	const read = jest.fn(() => requests.key.credential);
	const facts = new AskedFacts(encoded(read));
	await facts.learn([CREDENTIAL]);
	expect(facts.mark(CREDENTIAL)).toMatch(/^[\w-]{43}$/);
	expect(read).not.toHaveBeenCalled();
	expect(facts.get(CREDENTIAL)).toBe(facts.get(CREDENTIAL));
	expect(read).toHaveBeenCalledTimes(1);
});

test("what was never asked is no answer", async () => {
	const facts = new AskedFacts(asking({}).ask);
	await facts.learn([CREDENTIAL]);
	expect(facts.get(CREDENTIAL)).toBeUndefined();
	expect(facts.mark(CREDENTIAL)).toBeUndefined();
	expect(() => facts.get(CONSUMER)).toThrow("never asked for consumer");
});

describe("a credential in bytes", () => {
	const plugin = () =>
		new Plugin(rawConfig({ reuse_for: 60, service_id: service.id }), {
			ownInstance: true,
		});
	const credentialOf = (username: string) => ({
		...requests.basic,
		credential: { ...requests.basic.credential, username },
	});

	test("is not read when its token is given again", async () => {
		const read = jest.fn(() => requests.key.credential);
		const one = plugin();
		const [first] = (await one.decide(encoded(read))).upstreamHeaders;
		expect(read).toHaveBeenCalledTimes(1);
		expect((await one.decide(encoded(read))).upstreamHeaders).toEqual([first]);
		expect(read).toHaveBeenCalledTimes(1);
	});

	test("is another caller's when the bytes are others", async () => {
		const one = plugin();
		const tokens = new Set<string | undefined>();
		for (const name of ["alice", "bob", "alice"]) {
			const request = credentialOf(name);
			const ask = encoded(() => request.credential, request);
			tokens.add((await one.decide(ask)).upstreamHeaders[0]?.[1]);
		}
		expect(tokens.size).toBe(2);
		expect(tokens).not.toContain(undefined);
	});

	test("that cannot be read gives no token", async () => {
		const { exit, upstreamHeaders } = await plugin().decide(
			encoded(() => {
				throw new Error("not a message");
			}),
		);
		expect(exit?.status).toBe(500);
		expect(upstreamHeaders).toEqual([]);
	});
});
