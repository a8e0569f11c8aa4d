using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Settings;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Creates a pool from its settings and from what the app configures in code, with the log and the app's observers attached.</summary>
internal static class PoolThreads
{
    /// <summary>Creates the pool's options.</summary>
    /// <exception cref="OptionsValidationException">The app has changed the pool's name in code.</exception>
    public static FixedThreadPoolOptions Options(IServiceProvider services, PoolRegistration registration)
    {
        string name = registration.Name;
        FixedThreadPoolOptions options = services.GetRequiredService<IOptionsMonitor<PoolOptions>>().Get(name).ToPool(name);
        options.TimeProvider = services.GetService<TimeProvider>() ?? TimeProvider.System;
        options.MeterFactory = services.GetService<IMeterFactory>();

        bool isAlone = services.GetServices<PoolRegistration>().Count() == 1;
        List<IFixedThreadPoolObserver> observers =
            [new PoolLog(services.GetRequiredService<ILoggerFactory>().CreateLogger<FixedThreadPool>(), isAlone ? null : name)];
        foreach (Action<IServiceProvider, FixedThreadPoolOptions> configure in registration.Threads)
        {
            options.Observer = null; // so that the observer of each callback is collected
            configure(services, options);
            if (options.Observer is not null) observers.Add(options.Observer);
        }
        options.Observer = observers.Count == 1 ? observers[0] : new PoolObservers(observers);
        if (options.Name != name) throw Fault(name, $"Name was set to '{options.Name}' in code; AddFixedThreadPool gives the name.");
        return options;
    }

    /// <summary>Creates the pool, which starts its threads.</summary>
    /// <exception cref="OptionsValidationException">The app has set an option out of its range in code.</exception>
    public static FixedThreadPool Start(string name, FixedThreadPoolOptions options)
    {
        try
        {
            return new FixedThreadPool(options);
        }
        catch (ArgumentException e) when (e.ParamName is { } setting && typeof(FixedThreadPoolOptions).GetProperty(setting) is not null)
        {
            throw Fault(name, e.Message);
        }
    }

    private static OptionsValidationException Fault(string pool, string fault) =>
        new(pool, typeof(FixedThreadPoolOptions), [$"The pool '{pool}': {fault}"]);
}
