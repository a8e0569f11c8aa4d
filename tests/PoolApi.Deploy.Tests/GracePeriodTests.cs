using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace PoolApi.Deploy.Tests;

/// <summary>Each grace period is longer than a stop may take. It also lets the watchdog end a hung stop, with the watchdog's exit code.</summary>
public sealed partial class GracePeriodTests
{
    /// <summary>How long the watchdog waits after the host's shutdown timeout.</summary>
    private static readonly TimeSpan Watchdog =
        TimeSpan.FromSeconds(Seconds(HostCut().Match(Read("src", "PoolApi.AspNetCore", "Shutdown", "ShutdownOptions.cs")).Groups[1].Value));

    [Theory]
    [InlineData("base")]
    [InlineData("postgres")]
    public async Task The_grace_period_of_the_pod_is_longer_than_a_stop_with_its_settings(string folder)
    {
        Manifests manifests = await Manifests.BuildAsync(folder);
        TimeSpan stop = await LongestAsync(manifests.Environment);
        Assert.InRange(TimeSpan.FromSeconds(manifests.Pod.TerminationGracePeriodSeconds!.Value), stop + TimeSpan.FromSeconds(1), stop + TimeSpan.FromSeconds(30));
        Assert.True(manifests.Pod.TerminationGracePeriodSeconds > (stop + Watchdog).TotalSeconds, $"the watchdog waits for {stop + Watchdog}");
    }

    [Fact]
    public async Task The_grace_periods_of_compose_are_longer_than_a_stop_with_their_settings()
    {
        string compose = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docker-compose.yml"), TestContext.Current.CancellationToken);
        var graces = Regex.Matches(compose, @"stop_grace_period: (\d+)s").Select(static match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).ToArray();
        var ducks = Regex.Matches(compose, "Shutdown__LameDuck: \"([^\"]+)\"").Select(static match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(graces);
        Assert.Equal(graces.Length, ducks.Length);
        foreach (var (grace, duck) in graces.Zip(ducks))
            Assert.InRange(TimeSpan.FromSeconds(grace), await LongestAsync(duck) + Watchdog, TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task The_stop_timeout_of_the_documented_docker_command_is_longer_than_a_stop_with_the_defaults()
    {
        double grace = Seconds(StopTimeout().Match(Read("docs", "operations.md")).Groups[1].Value);
        Assert.InRange(TimeSpan.FromSeconds(grace), await LongestAsync("00:00:00") + Watchdog, TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task The_total_stop_time_is_the_sum_of_the_phases_and_the_watchdog_delay_is_correct()
    {
        string page = Read("deploy", "README.md");
        double sum = Seconds(Sum().Match(page).Groups[1].Value);
        Assert.Equal(sum, Phase().Matches(page).Sum(static phase => Seconds(phase.Groups[1].Value)));
        Assert.Equal(await LongestAsync("00:00:05") + Watchdog, TimeSpan.FromSeconds(sum + Seconds(Late().Match(page).Groups[1].Value)));
    }

    private static double Seconds(string number) => double.Parse(number, CultureInfo.InvariantCulture);

    private static string Read(params string[] path) => File.ReadAllText(Path.Combine([Repository.Root, .. path]));

    private static Task<TimeSpan> LongestAsync(string lameDuck) => LongestAsync(new Dictionary<string, string?> { ["Shutdown__LameDuck"] = lameDuck });

    /// <summary>The host's shutdown timeout with these settings: the time of all phases and of the app's own services.</summary>
    private static async Task<TimeSpan> LongestAsync(IReadOnlyDictionary<string, string?> environment)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(environment.Select(static variable => new KeyValuePair<string, string?>(variable.Key.Replace("__", ":", StringComparison.Ordinal), variable.Value)));
        builder.Services.AddFixedThreadPool("cpu");
        builder.Services.ConfigurePoolShutdown("Shutdown");
        builder.Services.AddJobs(); // jobs add the time for their last writes
        await using WebApplication app = builder.Build();
        return app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout;
    }

    [GeneratedRegex(@"HostCut = TimeSpan\.FromSeconds\((\d+)\)")]
    private static partial Regex HostCut();

    [GeneratedRegex(@"--stop-timeout (\d+)")]
    private static partial Regex StopTimeout();

    [GeneratedRegex(@"^\| (?:lame duck|drain|cancel|join|write|send)\b[^|]*\|[^|]*\| ([\d.]+) s \|$", RegexOptions.Multiline)]
    private static partial Regex Phase();

    [GeneratedRegex(@"^\| \*\*together, at most\*\* \| \| \*\*([\d.]+) s\*\* \|$", RegexOptions.Multiline)]
    private static partial Regex Sum();

    [GeneratedRegex(@"a stop that took ([\d.]+) s longer than the sum above")]
    private static partial Regex Late();
}
