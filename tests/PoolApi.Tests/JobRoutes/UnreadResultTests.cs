using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRoutes;

/// <summary>Clients that request results and lists and do not read the responses.</summary>
public class UnreadResultTests
{
    private const int Length = 6 << 20;

    [Fact]
    public async Task Unread_results_fill_the_budget_and_a_further_result_gets_503()
    {
        await using JobApp app = await StartAsync(TimeSpan.FromMinutes(5));
        Job job = app.Store.Put(FakeJobStore.New(JobState.Succeeded), new JobResult(200, "image/png", new byte[Length]));
        using RawConnection one = await AskAsync(app, $"/v1/jobs/{job.Id}/result");
        using RawConnection two = await AskAsync(app, $"/v1/jobs/{job.Id}/result");
        await UntilUsedAsync(app, 2 * Length);

        using HttpResponseMessage refused = await app.Client.GetAsync($"/v1/jobs/{job.Id}/result", JobApp.Token);
        await ServiceApp.AssertProblem(refused, 503, "overloaded");
        Assert.NotNull(refused.Headers.RetryAfter);

        // A small response, or one without a body, needs no budget.
        Job small = app.Store.Put(FakeJobStore.New(JobState.Succeeded), new JobResult(200, "text/plain", "done"u8.ToArray()));
        Assert.Equal("done", await app.Client.GetStringAsync($"/v1/jobs/{small.Id}/result", JobApp.Token));
        using var head = new HttpRequestMessage(HttpMethod.Head, $"/v1/jobs/{job.Id}/result");
        using HttpResponseMessage length = await app.Client.SendAsync(head, JobApp.Token);
        Assert.Equal((HttpStatusCode.OK, Length), (length.StatusCode, length.Content.Headers.ContentLength));

        // One client disconnects, and its bytes are free again.
        one.Reset();
        await UntilUsedAsync(app, Length);
        Assert.Equal(Length, (await app.Client.GetByteArrayAsync($"/v1/jobs/{job.Id}/result", JobApp.Token)).Length);
    }

    [Fact]
    public async Task A_client_that_does_not_read_its_result_is_disconnected()
    {
        await using JobApp app = await StartAsync(MachineLoad.Stretch(TimeSpan.FromSeconds(1)));
        Job job = app.Store.Put(FakeJobStore.New(JobState.Succeeded), new JobResult(200, "image/png", new byte[Length]));
        using RawConnection idle = await AskAsync(app, $"/v1/jobs/{job.Id}/result");
        await UntilUsedAsync(app, Length);

        await UntilUsedAsync(app, 0);

        Assert.InRange((await idle.ReadToEndAsync()).Length, 1, Length - 1);
    }

    [Fact]
    public async Task An_unread_list_counts_towards_the_budget()
    {
        await using JobApp app = await StartAsync(TimeSpan.FromMinutes(5));
        string[] tags = [.. Enumerable.Range(0, 16).Select(static i => new string((char)('a' + i), 64))];
        for (int i = 0; i < 1000; i++) app.Store.Put(FakeJobStore.New() with { Tags = tags });
        using RawConnection idle = await AskAsync(app, "/v1/jobs?limit=1000");

        await UntilAsync(app, static used => used > 1_000_000);
        idle.Reset();
        await UntilUsedAsync(app, 0);
    }

    [Theory]
    [InlineData(100_000, 5)]
    [InlineData(3, 5)]
    [InlineData(100_000, 100_000)]
    [InlineData(100_000, 100_001)]
    [InlineData(1 << 20, 2 << 20)]
    public async Task A_result_can_be_read_with_a_budget_of_any_size(long budget, int length)
    {
        await using JobApp app = await JobApp.StartAsync(answerBytes: budget);
        Job job = app.Store.Put(FakeJobStore.New(JobState.Succeeded), new JobResult(200, "image/png", new byte[length]));
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(length, (await app.Client.GetByteArrayAsync($"/v1/jobs/{job.Id}/result", JobApp.Token)).Length);
            await UntilUsedAsync(app, 0);
        }
    }

    [Fact]
    public async Task A_result_larger_than_the_budget_is_sent_alone_and_other_results_get_503()
    {
        await using JobApp app = await StartAsync(TimeSpan.FromMinutes(5), 1 << 20);
        Job job = app.Store.Put(FakeJobStore.New(JobState.Succeeded), new JobResult(200, "image/png", new byte[Length]));
        Job small = app.Store.Put(FakeJobStore.New(JobState.Succeeded), new JobResult(200, "text/plain", "done"u8.ToArray()));
        using RawConnection alone = await AskAsync(app, $"/v1/jobs/{job.Id}/result");
        await UntilUsedAsync(app, Length);

        foreach (Job other in (Job[])[job, small])
        {
            using HttpResponseMessage refused = await app.Client.GetAsync($"/v1/jobs/{other.Id}/result", JobApp.Token);
            await ServiceApp.AssertProblem(refused, 503, "overloaded");
        }

        alone.Reset();
        await UntilUsedAsync(app, 0);
        Assert.Equal(Length, (await app.Client.GetByteArrayAsync($"/v1/jobs/{job.Id}/result", JobApp.Token)).Length);
    }

    private static Task<JobApp> StartAsync(TimeSpan stall, long budget = (2 * Length) + (1 << 20)) => JobApp.StartAsync(
        kestrel: true, answerBytes: budget, stall: stall,
        // Small send buffers: the default ones would hold the whole response.
        configure: static builder => builder.WebHost.UseSockets(static sockets => sockets.CreateBoundListenSocket = static endpoint =>
        {
            Socket socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            socket.SendBufferSize = 16 * 1024;
            return socket;
        }));

    private static async Task<RawConnection> AskAsync(JobApp app, string path)
    {
        RawConnection connection = await RawConnection.OpenAsync(app.Address!.Port, receiveBuffer: 16 * 1024);
        await connection.SendAsync($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        return connection;
    }

    private static Task UntilUsedAsync(JobApp app, long bytes) => UntilAsync(app, used => used == bytes);

    private static Task UntilAsync(JobApp app, Predicate<long> isSo)
    {
        var answers = app.App.Services.GetRequiredService<ResponseBudget>();
        return Patience.UntilAsync(() => isSo(answers.Used), "the expected use of the response budget");
    }
}
