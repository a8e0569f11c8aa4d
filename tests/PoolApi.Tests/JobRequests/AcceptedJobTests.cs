using System.Net;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>P5: a client that waits for its accepted job gets its location if there is no result in time, or a 503 on a stop.</summary>
public sealed class AcceptedJobTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task A_waiting_client_gets_202_and_the_job_location_when_the_response_budget_is_full()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app => app.MapPost("/v1/work", static () => "done").AllowJobs().RunOnPool());
        var budget = app.App.Services.GetRequiredService<ResponseBudget>();
        using ResponseReservation all = budget.TryTake(new DefaultHttpContext(), budget.Limit)!;
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/work") { Headers = { { "Prefer", "respond-async, wait=150" } } };

        using HttpResponseMessage answer = await app.Client.SendAsync(request, ServiceApp.Token);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        all.Dispose();
        var job = new Uri(answer.RequestMessage!.RequestUri!, answer.Headers.Location!);
        Assert.Equal("done", await app.Client.GetStringAsync(new Uri($"{job}/result"), ServiceApp.Token));
    }

    [Fact]
    public async Task The_time_to_accept_a_job_counts_towards_the_wait_that_the_client_asked_for()
    {
        using var gate = new WorkGate<string>("done");
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        int made = 0;
        await using StorableApp app = await StorableApp.StartAsync(
            app => app.MapPost("/v1/work", () => gate.Pass()).AllowJobs().RunOnPool(),
            storable: o => o.Client = context =>
            {
                // The service calls this while it makes the job. The advance stands for a slow store.
                if (context.Features.Get<IRequestStoreFeature>() is not null && Interlocked.Increment(ref made) == 1) clock.Advance(TimeSpan.FromSeconds(5));
                return "a client";
            },
            services: services => services.AddSingleton<TimeProvider>(clock));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/work") { Headers = { { "Prefer", "respond-async, wait=5" } } };

        using HttpResponseMessage answer = await app.Client.SendAsync(request, ServiceApp.Token);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.NotEqual(0, made);
        gate.Open();
    }

    [Fact]
    public async Task A_stop_does_not_wait_for_a_job_that_another_instance_runs()
    {
        using var held = new ManualResetEventSlim();
        await using StorableApp app = await StorableApp.StartAsync(
            app => app.MapPost("/v1/work", async (HttpContext context) =>
            {
                await context.Request.Body.CopyToAsync(Stream.Null);
                held.Wait(Patience.Long);
                return "done";
            }).AllowJobs().RunOnPool(),
            // The body of the first job fills the budget, so this instance claims no second one.
            storable: static o => (o.MaxPayloadBytes, o.MemoryBytes) = (1000, 1000));
        using HttpResponseMessage first = await app.Client.SendAsync(Post("Prefer", "respond-async"), ServiceApp.Token);
        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);
        Task<HttpResponseMessage> waiting = app.Client.SendAsync(Post("Idempotency-Key", "\"once\""), ServiceApp.Token);
        JobClaims claimed = default!;
        await Patience.UntilAsync(async () =>
        {
            claimed = await app.Store.ClaimAsync("another", 1, 1_000_000, Lease, KindFilter.All, ServiceApp.Token);
            return claimed.Claims.Count == 1;
        });

        Task stop = app.App.StopAsync(ServiceApp.Token);

        using HttpResponseMessage answer = await waiting.Patiently();
        await ServiceApp.AssertProblem(answer, 503, "draining");
        Assert.Equal(JobState.Running, (await app.Store.GetAsync(claimed.Claims[0].Job.Id, ServiceApp.Token))!.State);
        Assert.False(stop.IsCompleted); // the first job still runs
        held.Set();
        await stop.Patiently();

        static HttpRequestMessage Post(string header, string value) =>
            new(HttpMethod.Post, "/v1/work") { Headers = { { header, value } }, Content = new ByteArrayContent(new byte[600]) };
    }
}
