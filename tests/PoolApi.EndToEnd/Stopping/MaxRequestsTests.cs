namespace PoolApi.EndToEnd.Stopping;

/// <summary>As in the Rust Book: the service takes two requests and then shuts down, to show that the shutdown works.</summary>
public sealed class MaxRequestsTests
{
    [Theory, ClassData(typeof(BothForms))]
    public async Task With_MaxRequests_2_the_service_answers_two_requests_refuses_the_third_and_exits_with_0(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 2", "--Shutdown:MaxRequests 2", PoolApiProcess.Diagnostics);
        // Requests that submit no work do not count.
        (await service.Api.GetAsync("/")).MustBe(200);
        (await service.Api.PostAsync("/v1/diagnostics/sleep?ms=x")).MustBeProblem(400);

        var first = service.Api.PostAsync(PoolApiProcess.Sleep(1500));
        var second = service.Api.PostAsync(PoolApiProcess.Sleep(1500));
        await service.WaitForLineAsync("Shutdown: draining");
        var third = await AskAsync(service);

        if (third is not null)
            third.MustBeProblem(503, "draining");
        (await first).MustBe(200);
        (await second).MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 2, 2, 0, 0, 0, 0, 0, 0, 2, 2), await service.ReadSummaryAsync());
    }

    private static async Task<Answer?> AskAsync(PoolApiProcess service)
    {
        try
        {
            return await service.Api.PostAsync("/v1/diagnostics/noop");
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
