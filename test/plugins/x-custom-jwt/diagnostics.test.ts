import type { Channel } from "node:diagnostics_channel";
import {
	refusedChannel,
	signedChannel,
} from "../../../plugins/x-custom-jwt/diagnostics";
import type { FakeRequest } from "./fake-kong";
import { run } from "./run";
import { anonymous, requests } from "./samples";

/** What is published on the channel while one request runs. */
async function published(
	channel: Channel,
	request: FakeRequest,
	config: object = {},
): Promise<unknown[]> {
	const messages: unknown[] = [];
	const listen = (message: unknown) => messages.push(message);
	channel.subscribe(listen);
	try {
		await run(request, config);
	} finally {
		channel.unsubscribe(listen);
	}
	return messages;
}

describe("whoever counts is told", () => {
	test("of each signed token its algorithm and how long it took", async () => {
		expect(await published(signedChannel, requests.key)).toEqual([
			{ alg: "ES256", seconds: expect.any(Number) },
		]);
		expect(await published(refusedChannel, requests.key)).toEqual([]);
	});

	test.each<[string, FakeRequest, object]>([
		["nobody_authenticated", anonymous, {}],
		["method_not_accepted", requests.key, { auth_methods: ["basic"] }],
		["no_client_id", requests.jwt, { bearer_clientid_claim: "azp" }],
		["no_audience", { ...requests.key, service: undefined }, {}],
		["wrong_instance", requests.key, { service_id: "other" }],
		[
			"unexpected",
			{ ...requests.key, failing: { "client.getConsumer": 1 } },
			{},
		],
	])("of a refused request that it was %s", async (reason, request, config) => {
		expect(await published(refusedChannel, request, config)).toEqual([
			{ reason },
		]);
		expect(await published(signedChannel, request, config)).toEqual([]);
	});
});
