using Microsoft.Extensions.Options;

namespace PoolApi.Tests.JobRequests;

/// <summary>An app with jobs extends the host's shutdown timeout by the time for the jobs' last writes.</summary>
public sealed class JobStopTimeTests
{
    [Theory]
    [InlineData(300.0, 303.0)]
    [InlineData(-0.001, -0.001)] // no limit
    public async Task The_shutdown_timeout_is_extended_for_the_last_writes_of_jobs_unless_it_is_infinite(double set, double expected)
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static _ => { },
            services: services => services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(set)));

        Assert.Equal(TimeSpan.FromSeconds(expected), app.App.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }
}
