using Microsoft.Extensions.Options;

namespace PoolApi.Tests.Service;

/// <summary>Jobs prolong the host's time for a stop by that of their last writes.</summary>
public sealed class JobStopTimeTests
{
    [Theory]
    [InlineData(300.0, 303.0)]
    [InlineData(-0.001, -0.001)] // no limit
    public async Task The_last_writes_of_jobs_are_added_to_the_time_of_a_stop_that_has_a_limit(double set, double expected)
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static _ => { },
            services: services => services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(set)));

        Assert.Equal(TimeSpan.FromSeconds(expected), app.App.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }
}
