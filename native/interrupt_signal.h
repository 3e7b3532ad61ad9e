/* SPDX-License-Identifier: MIT */
#ifndef INTERRUPT_SIGNAL_H
#define INTERRUPT_SIGNAL_H

/*
 * The signal that interrupts a call: the highest real-time signal that nobody had taken when it was
 * first asked for. The only one that exec threads don't block. 0 where there is none.
 */
int interrupt_signal(void);

#endif /* INTERRUPT_SIGNAL_H */
