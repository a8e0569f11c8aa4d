using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Settings;

/// <summary>Reads the section Shutdown, judges it, and gives the host the time that the phases need.</summary>
internal sealed class ShutdownOptionsSetup(IConfiguration configuration) : IConfigureOptions<ShutdownOptions>, IValidateOptions<ShutdownOptions>
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    public void Configure(ShutdownOptions options)
    {
        var reader = new SettingsReader(configuration.GetSection("Shutdown"), options.Faults);
        options.LameDuck = reader.Time("LameDuck", options.LameDuck, TimeSpan.Zero, Hour);
        options.Drain = reader.Time("Drain", options.Drain, TimeSpan.Zero, Day);
        options.Cancel = reader.Time("Cancel", options.Cancel, TimeSpan.Zero, Hour);
        options.Watchdog = reader.Boolean("Watchdog", options.Watchdog);
        options.MaxRequests = reader.WholeNumber("MaxRequests", options.MaxRequests, 0, long.MaxValue);
        reader.RejectUnknownKeys();
    }

    public ValidateOptionsResult Validate(string? name, ShutdownOptions options)
    {
        var faults = new List<string>(options.Faults);
        Check(options.LameDuck >= TimeSpan.Zero && options.LameDuck <= Hour, "LameDuck", options.LameDuck);
        Check(options.Drain >= TimeSpan.Zero && options.Drain <= Day, "Drain", options.Drain);
        Check(options.Cancel >= TimeSpan.Zero && options.Cancel <= Hour, "Cancel", options.Cancel);
        Check(options.MaxRequests >= 0, "MaxRequests", options.MaxRequests);
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

        void Check(bool ok, string key, object value)
        {
            if (!ok) faults.Add($"Shutdown:{key} was set to {value} in code, which is out of its range.");
        }
    }

    /// <summary>The host's own limit must outlast the phases, or it would cut connections in the middle of them.</summary>
    internal static void GiveTime(HostOptions host, IOptions<ShutdownOptions> shutdown)
    {
        try
        {
            // An app that has set a time of its own, for services of its own, keeps it if it is longer.
            bool isOwn = host.ShutdownTimeout != new HostOptions().ShutdownTimeout;
            TimeSpan needed = shutdown.Value.Longest;
            if (!isOwn || host.ShutdownTimeout < needed) host.ShutdownTimeout = needed;
        }
        catch (OptionsValidationException)
        {
            // The host asks for this while it is built; at the start the fault is reported together with all others.
        }
    }
}
