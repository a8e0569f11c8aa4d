using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace PoolApi.Deploy.Tests;

/// <summary>Who stops the container waits longer than a stop may take.</summary>
public sealed class GracePeriodTests
{
    [Theory]
    [InlineData("base")]
    [InlineData("postgres")]
    public async Task The_grace_period_of_the_pod_is_longer_than_a_stop_with_its_settings(string folder)
    {
        Manifests manifests = await Manifests.BuildAsync(folder);
        TimeSpan stop = await LongestAsync(manifests.Environment);
        Assert.InRange(TimeSpan.FromSeconds(manifests.Pod.TerminationGracePeriodSeconds!.Value), stop + TimeSpan.FromSeconds(1), stop + TimeSpan.FromSeconds(30));
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
            Assert.InRange(TimeSpan.FromSeconds(grace), await LongestAsync(new Dictionary<string, string?> { ["Shutdown__LameDuck"] = duck }), TimeSpan.FromMinutes(2));
    }

    /// <summary>How long the host gives a stop with these settings: what the phases and the app's own services may take.</summary>
    private static async Task<TimeSpan> LongestAsync(IReadOnlyDictionary<string, string?> environment)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(environment.Select(static variable => new KeyValuePair<string, string?>(variable.Key.Replace("__", ":", StringComparison.Ordinal), variable.Value)));
        builder.Services.AddFixedThreadPool("cpu");
        builder.Services.ConfigurePoolShutdown("Shutdown");
        builder.Services.AddJobs(); // they add the time for their last writes
        await using WebApplication app = builder.Build();
        return app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout;
    }
}
