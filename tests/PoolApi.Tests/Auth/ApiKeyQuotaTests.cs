using System.Net;
using PoolApi.Tests.Service;
using PoolApi.Threading;

namespace PoolApi.Tests.Auth;

/// <summary>A client's own concurrency limit applies to that client alone, and follows changes of the key file.</summary>
public sealed class ApiKeyQuotaTests : IDisposable
{
    private const string Alice = "alices-good-secret";
    private const string Bob = "another-good-secret";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_client_s_own_limit_applies_to_that_client_alone_and_follows_the_key_file()
    {
        string file = WriteKeys(limit: 1);
        await using ServiceApp app = ServiceApp.With(
            ("Jobs:Store", "none"), ("Auth:KeysFile", file), ("Pool:MaxQueueTime", "-00:00:00.001"), ("Pool:OverloadControl", "false"));
        HttpClient client = app.CreateClient();
        var pool = app.Services.GetRequiredService<FixedThreadPool>();

        using (var gate = new Gate())
        {
            Task held = await OccupyAsync(pool, gate);
            Task<HttpResponseMessage> first = await QueueAsync(pool, client, Alice, 1);
            await ServiceApp.AssertProblem(await SendAsync(client, Alice), 429, "quota");
            Task<HttpResponseMessage> other = await QueueAsync(pool, client, Bob, 2);

            WriteKeys(limit: 2);
            await Patience.UntilAsync(() => app.Log.Contains("The keys were read again: 2 clients have a key."), "the new limit");
            Task<HttpResponseMessage> second = await QueueAsync(pool, client, Alice, 3);

            gate.Open();
            await AssertServedAsync(held, first, other, second);
        }
        using (var gate = new Gate())
        {
            Task held = await OccupyAsync(pool, gate);
            Task<HttpResponseMessage> first = await QueueAsync(pool, client, Alice, 1);
            Task<HttpResponseMessage> second = await QueueAsync(pool, client, Alice, 2);
            await ServiceApp.AssertProblem(await SendAsync(client, Alice), 429, "quota");
            gate.Open();
            await AssertServedAsync(held, first, second);
        }
    }

    private string WriteKeys(int limit)
    {
        string file = _folder.File("keys.json");
        File.WriteAllText(file + ".new", $$"""{ "alice": { "Key": "{{Alice}}", "MaxConcurrency": {{limit}} }, "bob": "{{Bob}}" }""");
        File.Move(file + ".new", file, overwrite: true);
        return file;
    }

    /// <summary>Occupies every worker until the gate opens, so that requests stay in the queue.</summary>
    /// <returns>A task that completes when that work ends.</returns>
    private static async Task<Task> OccupyAsync(FixedThreadPool pool, Gate gate)
    {
        Task<string>[] held = [.. Enumerable.Range(0, pool.Workers).Select(_ => pool.RunAsync(() => gate.Pass()).AsTask())];
        await gate.ArrivalAsync(pool.Workers);
        return Task.WhenAll(held);
    }

    /// <summary>Sends a request, and waits until the queue has this length.</summary>
    private static async Task<Task<HttpResponseMessage>> QueueAsync(FixedThreadPool pool, HttpClient client, string key, int queued)
    {
        Task<HttpResponseMessage> answer = SendAsync(client, key);
        await Patience.UntilAsync(() => pool.GetSnapshot().QueueLength == queued || answer.IsCompleted, $"{queued} in the queue");
        if (answer.IsCompleted) Assert.Fail($"the request was not queued: {(await answer).StatusCode}");
        return answer;
    }

    private static async Task AssertServedAsync(Task held, params Task<HttpResponseMessage>[] answers)
    {
        await held.Patiently();
        foreach (HttpResponseMessage answer in await Task.WhenAll(answers).Patiently())
        {
            using (answer) Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/diagnostics/noop") { Headers = { { "X-Api-Key", key } } };
        return await client.SendAsync(request, ServiceApp.Token);
    }
}
