// An endpoint on a pool, in the three lines that are marked. The rest is any minimal API.
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddFixedThreadPool("cpu");                                             // 1: as many threads as processors; settings from "Pools:cpu"

var app = builder.Build();
app.MapGet("/primes/{limit:int}", (int limit) => Primes.Below(limit)).RunOnPool();      // 2: the handler runs on the pool
app.MapPoolHealth();                                                                    // 3: /livez, /readyz, /startupz
app.Run();

internal static class Primes
{
    public static object Below(int limit)
    {
        int count = 0;
        for (int candidate = 2; candidate < limit; candidate++)
        {
            bool isPrime = true;
            for (int divisor = 2; divisor * divisor <= candidate && isPrime; divisor++) isPrime = candidate % divisor != 0;
            if (isPrime) count++;
        }
        return new { count, thread = Thread.CurrentThread.Name };
    }
}
