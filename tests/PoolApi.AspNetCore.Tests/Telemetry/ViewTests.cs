using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Telemetry;

/// <summary>The monitoring data of an app: every worker as JSON, and the instruments of the app's own meter.</summary>
public class ViewTests
{
    [Fact]
    public async Task The_workers_are_shown_in_the_documented_shape()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapPoolWorkers();
                app.MapPost("/v1/things/{id}", (int id) => gate.Pass()).RunOnPool();
            },
            new() { ["Pool:Workers"] = "2", ["Pool:QueueCapacity"] = "5" });
        Task<HttpResponseMessage>[] requests = [.. Enumerable.Range(0, 3).Select(i => app.Client.PostAsync(
            new Uri($"/v1/things/{i}", UriKind.Relative), new StringContent("hello"), TestApp.Token))];
        await gate.NextArrivalAsync();
        await gate.NextArrivalAsync();
        await app.UntilQueued(1);

        using HttpResponseMessage response = await app.Client.GetAsync(new Uri("/v1/workers", UriKind.Relative), TestApp.Token);
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        JsonNode view = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestApp.Token))!;
        Assert.Equal(["state", "pools"], Keys(view));
        Assert.Equal("running", (string?)view["state"]);
        JsonNode pool = Assert.Single(view["pools"]!.AsArray())!;
        Assert.Equal(["name", "queue", "suspended", "workers"], Keys(pool));
        Assert.Equal("cpu", (string?)pool["name"]);
        Assert.Equal(["length", "capacity", "oldestAgeMs", "bytes"], Keys(pool["queue"]!));
        Assert.Equal((1, 5, 5), ((int)pool["queue"]!["length"]!, (int)pool["queue"]!["capacity"]!, (int)pool["queue"]!["bytes"]!));
        Assert.True((double)pool["queue"]!["oldestAgeMs"]! >= 0);
        Assert.Equal(0, (int)pool["suspended"]!);
        for (int i = 0; i < 2; i++)
        {
            JsonNode worker = pool["workers"]![i]!;
            Assert.Equal(
                ["id", "name", "state", "kind", "route", "elapsedMs", "traceId", "completed", "failed", "busySeconds"], Keys(worker));
            Assert.Equal(
                (i, $"cpu-{i}", "busy", "things/{id}", "/v1/things/{id}"),
                ((int)worker["id"]!, (string)worker["name"]!, (string)worker["state"]!, (string)worker["kind"]!, (string)worker["route"]!));
            Assert.Matches("^[0-9a-f]{32}$", (string)worker["traceId"]!);
        }
        gate.Open();
        foreach (Task<HttpResponseMessage> request in requests) (await request).Dispose();

        view = JsonNode.Parse(await app.Client.GetStringAsync("/v1/workers", TestApp.Token))!;
        Assert.Null(view["pools"]![0]!["queue"]!["oldestAgeMs"]);
        Assert.Equal(3, view["pools"]![0]!["workers"]!.AsArray().Sum(static w => (int)w!["completed"]!));

        static string[] Keys(JsonNode node) => [.. node.AsObject().Select(static p => p.Key)];
    }

    [Fact]
    public async Task Metrics_report_the_queued_bytes_the_budgets_and_the_state_of_the_app()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapPost("/", () => gate.Pass()).RunOnPool(),
            new Dictionary<string, string?> { ["Pool:QueueBytes"] = "9000" },
            static builder => builder.Services.AddSingleton<IMeasuredBudget>(new OwnBudget()));
        var seen = new ConcurrentDictionary<string, long>();
        // Other apps in this process have meters of the same name, so the test listens to this app's meter only.
        Meter own = app.App.Services.GetRequiredService<IMeterFactory>().Create("PoolApi");
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter == own) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            seen[$"{instrument.Name}[{instrument.Unit}] {tags[0].Key}={tags[0].Value}"] = value);
        listener.Start();

        var post = () => app.Client.PostAsync(new Uri("/", UriKind.Relative), new StringContent("12345678"), TestApp.Token);
        Task<HttpResponseMessage> running = post();
        await gate.NextArrivalAsync();
        Task<HttpResponseMessage> waiting = post();
        await app.UntilQueued(1);
        listener.RecordObservableInstruments();
        Assert.Equal(8, seen["poolapi.queue.bytes[By] pool=cpu"]);
        AssertBudget("queue", 8, 9000);
        AssertBudget("answers", 0, 9000);
        AssertBudget("own", 3, 7);
        using (app.PoolContext().Responses.TryTake(new DefaultHttpContext(), 5000))
        {
            listener.RecordObservableInstruments();
            AssertBudget("answers", 5000, 9000);
        }
        AssertState("running");

        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");
        listener.RecordObservableInstruments();
        AssertState("draining");
        gate.Open();
        (await running).Dispose();
        (await waiting).Dispose();
        await stop;
        listener.RecordObservableInstruments();
        Assert.Equal(0, seen["poolapi.queue.bytes[By] pool=cpu"]);

        void AssertBudget(string name, long used, long limit) => Assert.Equal(
            (used, limit), (seen[$"poolapi.budget.usage[By] budget={name}"], seen[$"poolapi.budget.limit[By] budget={name}"]));

        void AssertState(string state)
        {
            foreach (string each in (string[])["starting", "running", "lameduck", "draining", "cancelling", "joining"])
                Assert.Equal(each == state ? 1 : 0, seen[$"poolapi.shutdown.state[] state={each}"]);
        }
    }

    private sealed class OwnBudget : IMeasuredBudget
    {
        public string Name => "own";

        public long Used => 3;

        public long Limit => 7;
    }
}
