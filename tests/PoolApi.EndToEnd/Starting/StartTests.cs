using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Starting;

/// <summary>One command starts the service, from any folder, and the root page shows a newcomer what to do next.</summary>
public sealed class StartTests
{
    [Theory, ClassData(typeof(BothForms))]
    public async Task The_service_starts_reports_healthy_and_exits_with_0(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 2");

        (await service.Management.GetAsync("/livez")).MustBe(200);
        (await service.Management.GetAsync("/readyz")).MustBe(200);
        (await service.Management.GetAsync("/startupz")).MustBe(200);
        var summary = await service.StopAsync();

        Assert.Equal(new ShutdownSummary(0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2), summary);
        Assert.False(Directory.Exists($"/proc/{service.Id}"), "the process is still there");
    }

    [Fact]
    public async Task Ctrl_C_drains_and_joins_like_a_SIGTERM()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.FrameworkDependent, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 500);

        service.Send(UnixSignal.Interrupt);

        (await running[0]).MustBe(200);
        var summary = await service.ReadSummaryAsync();
        Assert.Equal(new ShutdownSummary(0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1), summary);
        Assert.Contains(service.Log.Lines, line => Regex.IsMatch(line, @"Shutting down worker 0\b"));
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_root_page_of_the_API_shows_its_routes_and_a_curl_example(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form);

        string page = (await service.Api.GetAsync("/")).MustBe(200).Text;

        Assert.Contains("PoolApi", page, StringComparison.Ordinal);
        Assert.Contains("/openapi/v1.json", page, StringComparison.Ordinal);
        Assert.Contains("/v1/thumbnails", page, StringComparison.Ordinal);
        Assert.Contains("curl", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_come_from_the_environment_too_and_the_command_line_wins()
    {
        var environment = new Dictionary<string, string>
        {
            ["Pool__Workers"] = "5",
            ["Pool__Name"] = "env",
            ["Pool__QueueCapacity"] = "77",
        };
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.FrameworkDependent, onePort: false, environment, "--Pool:Workers 3");

        var view = await service.WorkersAsync();

        Assert.Equal(("env", 3, 77), (view.Pool, view.Workers.Count, view.Capacity));
        Assert.Contains("env-2", ProcessFacts.ThreadNames(service.Id));
    }

    [Fact]
    public async Task By_default_the_pool_has_one_worker_per_processor_and_1024_queue_places()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.FrameworkDependent);

        var view = await service.WorkersAsync();

        Assert.Equal(("cpu", Environment.ProcessorCount, 1024, "running"), (view.Pool, view.Workers.Count, view.Capacity, view.State));
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task On_one_processor_there_is_one_worker(ServiceForm form)
    {
        string taskset = Tool.Require("taskset", "apt-get install util-linux");
        string allowed = File.ReadLines("/proc/self/status").Single(static line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal));
        await using var service = await PoolApiProcess.StartWithinAsync([taskset, "--cpu-list", Regex.Match(allowed, @"\d+").Value], form);

        Assert.Single((await service.WorkersAsync()).Workers);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task Diagnostics_are_off_unless_switched_on(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form);

        foreach (string route in new[] { "noop", "inline", "sleep?ms=1", "hash?iterations=1" })
            (await service.Api.PostAsync("/v1/diagnostics/" + route)).MustBeProblem(404);
    }

    [Fact]
    public async Task Diagnostics_are_on_in_Development()
    {
        var environment = new Dictionary<string, string> { ["ASPNETCORE_ENVIRONMENT"] = "Development" };
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.FrameworkDependent, onePort: false, environment);

        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
    }

    [Fact]
    public async Task A_worker_logs_at_Debug_that_it_got_a_job()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.FrameworkDependent, "--Pool:Workers 1", PoolApiProcess.Diagnostics, "--Logging:LogLevel:Default Debug");

        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);

        await service.WaitForLineAsync("Worker 0 got a job; executing");
    }
}
