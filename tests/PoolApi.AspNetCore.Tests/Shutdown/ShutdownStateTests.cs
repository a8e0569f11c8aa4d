using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>The steps between the states of the app.</summary>
public sealed class ShutdownStateTests
{
    [Fact]
    public void Only_the_documented_state_transitions_are_allowed_and_none_goes_back()
    {
        (ShutdownState Before, ShutdownState After)[] steps =
        [
            .. from before in Enum.GetValues<ShutdownState>()
               from after in Enum.GetValues<ShutdownState>()
               where ShutdownStates.IsStep(before, after)
               select (before, after),
        ];
        Assert.All(steps, static step => Assert.True(step.Before < step.After));
        Assert.Equal(
            [
                "Starting to Running", "Starting to Draining",
                "Running to LameDuck", "Running to Draining",
                "LameDuck to Draining",
                "Draining to Cancelling", "Draining to Joining", "Draining to Flushing",
                "Cancelling to Joining", "Cancelling to Flushing",
                "Joining to Flushing",
            ],
            steps.Select(static step => $"{step.Before} to {step.After}"));
    }
}
