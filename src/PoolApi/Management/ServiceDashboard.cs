using System.Security.Cryptography;
using PoolApi.Dashboard;
using PoolApi.Threading;

namespace PoolApi.Management;

/// <summary>The dashboard of this service: at the root of the management port, with work to send where diagnostics are on.</summary>
internal static class ServiceDashboard
{
    private const int BurstItems = 60;
    private const int OverloadBeyondQueue = 200;
    private const int MostOverload = 20_000;
    private const int SlowSeconds = 15;
    private const string SleepKind = "diagnostics/sleep";
    private const string HashKind = "diagnostics/hash";

    public static void MapServiceDashboard(this IEndpointRouteBuilder endpoints, ManagementHosts hosts, DashboardSettings settings, bool diagnostics) =>
        endpoints.MapPoolDashboard("", options =>
        {
            options.AllowDrain = true;
            settings.AddTo(options);
            foreach (string name in hosts.Names) options.AllowedHosts.Add(name);
            if (!diagnostics) return;
            options.Work.Add(new PoolDashboardWork("one", "One", static context => SendAsync(context, One))
            {
                Description = "One item that uses the CPU for some tenths of a second.",
            });
            options.Work.Add(new PoolDashboardWork("burst", "A burst", static context => SendAsync(context, Burst))
            {
                Description = $"{BurstItems} items at once: some hash, some sleep, a few fail.",
            });
            options.Work.Add(new PoolDashboardWork("overload", "An overload", static context => SendAsync(context, Overload))
            {
                Description = "More short items than the queue takes: what does not fit is refused at once.",
            });
            options.Work.Add(new PoolDashboardWork("slow", "A slow one", static context => SendAsync(context, Slow))
            {
                Description = $"One item that sleeps for {SlowSeconds} s: its thread is blocked.",
            });
        });

    private static Task<string> SendAsync(HttpContext context, Func<FixedThreadPool, string> send) =>
        Task.FromResult(send(context.RequestServices.GetRequiredService<FixedThreadPool>()));

    private static string One(FixedThreadPool pool) => Post(pool, static () => Hash(400_000), HashKind) ? "Sent one." : Refused(1);

    private static string Burst(FixedThreadPool pool)
    {
        int refused = 0;
        for (int i = 0; i < BurstItems; i++)
        {
            int n = i;
            bool accepted = n % 20 == 7 ? Post(pool, static () => throw new InvalidOperationException("This item of the burst fails on purpose."), "diagnostics/failure")
                : n % 2 == 0 ? Post(pool, () => Hash(40_000 + (n * 4000)), HashKind)
                : Post(pool, () => Block(60 + (n * 4)), SleepKind);
            if (!accepted) refused++;
        }
        return refused == 0 ? $"Sent {BurstItems} items." : Refused(BurstItems, refused);
    }

    private static string Overload(FixedThreadPool pool)
    {
        int items = Math.Min(pool.GetSnapshot().QueueCapacity + OverloadBeyondQueue, MostOverload), refused = 0;
        for (int i = 0; i < items; i++)
        {
            if (!Post(pool, static () => Block(10), SleepKind)) refused++;
        }
        return Refused(items, refused);
    }

#pragma warning disable RS0030 // To block the worker is what this work is for.
    private static void Block(int milliseconds) => Thread.Sleep(milliseconds);
#pragma warning restore RS0030

    private static string Slow(FixedThreadPool pool) =>
        Post(pool, static () => Block(SlowSeconds * 1000), SleepKind) ? $"Sent one that sleeps for {SlowSeconds} s." : Refused(1);

    private static bool Post(FixedThreadPool pool, Action work, string kind)
    {
        // The work outlives the request: it has nothing of the request's context. The pool counts what it refuses.
        using (ExecutionContext.SuppressFlow()) return pool.Post(work, options: new(kind: kind, origin: "dashboard"));
    }

    private static void Hash(int iterations) =>
        Rfc2898DeriveBytes.Pbkdf2("correct horse battery staple"u8, "0123456789abcdef"u8, iterations, HashAlgorithmName.SHA256, 32);

    private static string Refused(int sent, int refused = 1) => $"Sent {sent - refused} of {sent}: {refused} did not fit into the queue and were refused.";
}
