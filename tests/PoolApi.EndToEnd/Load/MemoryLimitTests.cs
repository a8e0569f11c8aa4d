using System.Globalization;

namespace PoolApi.EndToEnd.Load;

/// <summary>P3 and P9: bodies that do not fit into the memory of the process are refused as overload, and the process lives.</summary>
[Collection(Heavy.Name)]
public sealed class MemoryLimitTests
{
    /// <summary>The memory that the runtime may use in a container of 160 MiB: three quarters of it.</summary>
    private const int Memory = 120 << 20;

    // Together the bodies need twice the memory. Queued bodies may use a quarter of it.
    private const int Bodies = 24;
    private const int Length = 10 << 20;

    [Theory, ClassData(typeof(BothForms))]
    public async Task Bodies_beyond_the_memory_of_the_process_are_refused_as_overloaded(ServiceForm form)
    {
        var environment = new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = Memory.ToString("X", CultureInfo.InvariantCulture) };
        await using var service = await PoolApiProcess.StartAsync(form, onePort: false, environment, "--Pool:Workers 1", "--Pool:MaxQueueTime 00:10:00", PoolApiProcess.Diagnostics);
        using var leaving = new CancellationTokenSource();
        Task holding = HoldWorkerAsync(service, leaving.Token);
        await service.SeeWorkersAsync(view => !view.AllIdle, "a busy worker");
        byte[] body = new byte[Length];
        Png.Gradient(100, 100).CopyTo(body, 0);

        Task<Answer?>[] asking = [.. Enumerable.Range(0, Bodies).Select(_ => AskAsync(service, body))];
        await Eventually.SeesAsync(
            async () => (await service.WorkersAsync()).QueueLength + asking.Count(static task => task.IsCompleted),
            static settled => settled == Bodies,
            "every body in the queue or refused");
        await leaving.CancelAsync();
        await holding;

        Answer?[] answers = await Task.WhenAll(asking);
        Assert.InRange(answers.Count(static answer => answer?.Status == 200), 1, Memory / 4 / Length);
        Answer[] refused = [.. answers.OfType<Answer>().Where(static answer => answer.Status != 200)];
        Assert.NotEmpty(refused);
        foreach (Answer answer in refused)
        {
            answer.MustBeProblem(503, "overloaded");
            answer.MustSayRetryAfter();
        }
        (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(32, 32))).MustBe(200);
        var summary = await service.StopAsync();
        summary.MustAddUp();
        Assert.Equal(0, summary.Exit);
    }

    /// <summary>Sends a body. If the client still sends some seconds after the refusal, the server cuts it off, and there is no answer.</summary>
    private static async Task<Answer?> AskAsync(PoolApiProcess service, byte[] body)
    {
        try
        {
            return await service.Api.PostPngAsync("/v1/thumbnails?width=8", body);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static async Task HoldWorkerAsync(PoolApiProcess service, CancellationToken leaving)
    {
        try
        {
            await service.Api.PostUntilAsync("/v1/diagnostics/sleep?ms=600000", leaving);
        }
        catch (OperationCanceledException)
        {
            // The client has disconnected, so the worker is free.
        }
    }
}
