namespace PoolApi.Jobs.PostgreSql;

/// <summary>The time limits of a store's operations in its database. Every store has the defaults, except in tests.</summary>
/// <remarks>
/// A caller waits longer than a command may take, so that a second try has time. The server ends a statement later than the client gives it up.
/// </remarks>
internal sealed record DatabaseLimits
{
    /// <summary>The limits of every store outside of tests.</summary>
    public static DatabaseLimits Default { get; } = new();

    /// <summary>How long it may take to connect to a host, and then to set up the session.</summary>
    public int ConnectSeconds { get; init; } = 3;

    /// <summary>How long the response to a command may take.</summary>
    public int CommandSeconds { get; init; } = 4;

    /// <summary>How long the server lets a statement run, unless it takes bodies along. Also how long a piece of a large body may take.</summary>
    public int StatementSeconds { get; init; } = 10;

    /// <summary>How long a caller waits for what is answered by a few rows.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a caller waits for the counts of all jobs.</summary>
    public TimeSpan CountPatience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>An operation that failed within this time is tried again, if that is safe.</summary>
    public TimeSpan SecondTry { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The timeout of a command that may run for all of <see cref="StatementSeconds"/> at the server.</summary>
    public int LongCommandSeconds => Math.Max(StatementSeconds, CommandSeconds);

    /// <summary>The same limits, each as many times as long.</summary>
    /// <param name="factor">At least 1. Seconds are rounded up.</param>
    public DatabaseLimits Times(double factor) => new()
    {
        ConnectSeconds = (int)Math.Ceiling(ConnectSeconds * factor),
        CommandSeconds = (int)Math.Ceiling(CommandSeconds * factor),
        StatementSeconds = (int)Math.Ceiling(StatementSeconds * factor),
        Patience = Patience * factor,
        CountPatience = CountPatience * factor,
        SecondTry = SecondTry * factor,
    };
}
